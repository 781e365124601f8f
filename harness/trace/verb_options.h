/* What the options of several verbs have in common. Each of them: 0, or EINVAL with a line in *error. */
#ifndef HM_HARNESS_TRACE_VERB_OPTIONS_H
#define HM_HARNESS_TRACE_VERB_OPTIONS_H

#include "harness/error.h"

#include <getopt.h>
#include <stdint.h>

/** One of some words. @param out its index */
int hm_verb_take_choice(const char *name, const char *value, const char *const *words, size_t count,
                        int *out, struct hm_error *error);

/** A whole number, as 100M or 1e8. */
int hm_verb_take_count(const char *name, const char *value, int64_t least, int64_t most,
                       uint64_t *out, struct hm_error *error);

/** What getopt_long refused. @param verb "trace top"  @return EINVAL */
int hm_verb_bad_option(const char *verb, const char *word, const struct option *options,
                       struct hm_error *error);

/** The one argument that is not an option, once getopt_long is done. */
int hm_verb_take_file(int argc, char **argv, const char **path, struct hm_error *error);

/** The exit status for an errno of a verb: what memory or the disk lack is no fault of the input. */
int hm_verb_exit(int bad);

#endif
