/* The code that a run has measured: every image that its processes had mapped, once.
 *
 * Invariant: one path has one id, unless the run was resumed by force. */
#ifndef HM_HARNESS_RESULTS_IMAGES_H
#define HM_HARNESS_RESULTS_IMAGES_H

#include "harness/machine/image.h"
#include "harness/plan/plan.h"

#include <jansson.h>
#include <stdbool.h>

struct hm_images {
    struct hm_image *at;
    size_t count;
    bool may_change; /* a path may have another id than before: resumed by force */
};

/** Add what a process reported of itself, and note it at its cell.
 *  @param lines "BUILD-ID PATH\n".., as in hm_outcome; NULL for none
 *  @return 0; ENOMEM; or ESTALE, with the line, where a file is another one than the run began with */
int hm_images_add(struct hm_images *images, struct hm_cell *cell, const char *lines,
                  struct hm_error *error);

/** Take them from an earlier run.json, cells too. @return 0 or ENOMEM */
int hm_images_recall(struct hm_images *images, const json_t *run, struct hm_plan *plan);

/** What run.json says of them: an array of objects; of a cell, a text of indices like "0-18,20". */
json_t *hm_images_json(const struct hm_images *images);
json_t *hm_cell_images_json(const struct hm_cell *cell);

void hm_images_free(struct hm_images *images);

#endif
