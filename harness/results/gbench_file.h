/* gbench.json: what Google Benchmark wrote in each process, in one file that its own tools read. */
#ifndef HM_HARNESS_RESULTS_GBENCH_FILE_H
#define HM_HARNESS_RESULTS_GBENCH_FILE_H

#include "harness/results/folder.h"

/** Make the folder for the files of the single processes. @return 0 or an errno with a line */
int hm_gbench_folder(const struct hm_folder *folder, struct hm_error *error);

/** Join the files of all processes into gbench.json, the round as repetition index, and remove
 * them. A file that is broken (its process died) is left out. @return 0 or an errno with a line */
int hm_gbench_join(const struct hm_folder *folder, struct hm_error *error);

#endif
