/* Values of the verbs' options. Each of these: 0, and a value of NULL changes nothing; or EINVAL with a line
 * in *error. */
#ifndef HM_HARNESS_TRACE_VERB_OPTIONS_H
#define HM_HARNESS_TRACE_VERB_OPTIONS_H

#include "harness/error.h"

#include <stddef.h>
#include <stdint.h>

/** One of some words. @param name "--by"  @param out its index */
int hm_verb_take_choice(const char *name, const char *value, const char *const *words, size_t count,
                        int *out, struct hm_error *error);

/** A whole number, as 100M or 1e8. */
int hm_verb_take_count(const char *name, const char *value, int64_t least, int64_t most,
                       uint64_t *out, struct hm_error *error);

#endif
