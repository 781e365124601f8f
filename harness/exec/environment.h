/* The environment of a measured program: ours, but for what would choose or tune an allocator. */
#ifndef HM_HARNESS_EXEC_ENVIRONMENT_H
#define HM_HARNESS_EXEC_ENVIRONMENT_H

#include "harness/plan/plan.h"

#include <stdint.h>

/** The inherited variables that are dropped, as "NAME, NAME"; "" for none. */
void hm_environment_dropped(char *const *inherited, char *out, size_t size);

/** Build one. @param arm whose library and variables are added; NULL: a process that is not measured
 *  @param system the C library, which stands in for an arm without a library  @param witness our library
 *  @param witness_file where it is to write  @param salt length of the padding: the environment's size moves
 *  the stack, and a fresh one each time makes noise of that bias
 *  @return the caller's (hm_words_free), or NULL: no memory */
char **hm_environment_build(char *const *inherited, const struct hm_program *program,
                            const struct hm_arm *arm, const char *system, const char *witness,
                            const char *witness_file, uint64_t salt);

#endif
