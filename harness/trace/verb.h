/* A verb of `heapmark trace`: one file that registers one of these. */
#ifndef HM_HARNESS_TRACE_VERB_H
#define HM_HARNESS_TRACE_VERB_H

#include "allocators/part.h"

struct hm_trace_verb {
    const char *name;
    const char *summary; /* one line, no full stop */
    const char *usage;   /* the whole text of --help, at most 80 columns */
    /** @param argv argv[0] is the verb's name  @return the exit status of the process */
    int (*run)(int argc, char **argv);
};

#endif
