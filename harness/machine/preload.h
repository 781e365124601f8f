/* Our own libraries for LD_PRELOAD: where they are. */
#ifndef HM_HARNESS_MACHINE_PRELOAD_H
#define HM_HARNESS_MACHINE_PRELOAD_H

#include <stddef.h>

/** Find a library of preload/: beside the installed binary, or in the build folder.
 *  @param name "pool" for libheapmark-pool.so  @return 0 and its absolute path, or ENOENT */
int hm_preload_find(const char *name, char *out, size_t size);

#endif
