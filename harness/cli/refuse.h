/* How a subcommand refuses an option. */
#ifndef HM_HARNESS_CLI_REFUSE_H
#define HM_HARNESS_CLI_REFUSE_H

#include "harness/error.h"

#include <getopt.h>

/** Say what is wrong with a word that getopt_long refused: its value is missing, or nobody knows it.
 *  @param letters the short options that take a value  @return EINVAL, with a line */
int hm_refuse_option(const char *command, const char *letters, const struct option *options,
                     const char *word, struct hm_error *error);

#endif
