/* A subcommand of heapmark: one file that registers one of these. */
#ifndef HM_HARNESS_CLI_COMMAND_H
#define HM_HARNESS_CLI_COMMAND_H

#include "allocators/part.h"

#include <stdbool.h>

enum hm_exit {
    HM_EXIT_OK = 0,
    HM_EXIT_FAILED = 1, /* an error, or cells that failed */
    HM_EXIT_USAGE = 2,  /* wrong usage or bad input */
};

struct hm_command {
    const char *name;
    const char *summary;
    const char
        *usage;    /* the whole text of --help, at most 80 columns; NULL: it gives help itself */
    bool internal; /* not listed: called by heapmark itself */
    /** @param argv argv[0] is the subcommand's name  @return the exit status of the process */
    int (*run)(int argc, char **argv);
};

#endif
