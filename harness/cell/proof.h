/* Proof that the process runs on the allocator that it is measured under. */
#ifndef HM_HARNESS_CELL_PROOF_H
#define HM_HARNESS_CELL_PROOF_H

#include "harness/error.h"

/** Check that every malloc entry point of this process comes from one file.
 *  @param library real path that it must be, or "" for the C library
 *  @param path receives the real path that it is  @param size bytes of it
 *  @return 0, or EXDEV with a line that names the entry point and where it comes from */
int hm_proof_check(const char *library, char *path, unsigned size, struct hm_error *error);

#endif
