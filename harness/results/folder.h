/* The folder of one run. It is made fresh, or opened again to resume; two runs never share one. */
#ifndef HM_HARNESS_RESULTS_FOLDER_H
#define HM_HARNESS_RESULTS_FOLDER_H

#include "harness/error.h"

#include <limits.h>
#include <stdbool.h>

struct hm_folder {
    char path[PATH_MAX];
    int lock; /* held while the run lasts */
};

/** Make a folder and lock it. @param path NULL: results/RUN below the working directory, with
 *  results/latest linked to it  @param run id of the run
 *  @return 0, or an errno with a line: it exists and is not empty, can not be made, is not writable
 */
int hm_folder_create(struct hm_folder *out, const char *path, const char *run,
                     struct hm_error *error);

/** Lock a folder that an earlier run left. @return 0, or an errno with a line */
int hm_folder_reopen(struct hm_folder *out, const char *path, struct hm_error *error);
void hm_folder_close(struct hm_folder *folder);

/** Join the folder's path and a name. @return out */
const char *hm_folder_file(const struct hm_folder *folder, const char *name, char out[PATH_MAX]);

/** Write a whole file: under a temporary name, synced, then renamed. @return 0, or an errno with a
 *  line; the old file is intact then */
int hm_file_replace(const char *path, const char *bytes, size_t size, struct hm_error *error);

#endif
