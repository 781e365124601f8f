/* The parts as markdown: the generated half of docs/workloads.md. */
#ifndef HM_HARNESS_CLI_LIST_MARKDOWN_H
#define HM_HARNESS_CLI_LIST_MARKDOWN_H

#include <jansson.h>
#include <stdio.h>

/** Write what `heapmark list --format json` says, as one section for each kind, and for each kind of
 *  workload. @param all an object of arrays of parts */
void hm_list_markdown(FILE *out, const json_t *all);

#endif
