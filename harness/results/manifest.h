/* run.json: all that is needed to repeat a run, and what the machine was like. */
#ifndef HM_HARNESS_RESULTS_MANIFEST_H
#define HM_HARNESS_RESULTS_MANIFEST_H

#include "harness/machine/facts.h"
#include "harness/plan/plan.h"
#include "harness/results/folder.h"
#include "harness/results/images.h"

struct hm_manifest {
    char run[64]; /* id */
    char started_utc[32];
    const char *state; /* "running", "interrupted", "finished" */
    int argc;
    char **argv; /* of `heapmark run` */
    const struct hm_plan *plan;
    json_t *machine;                /* facts; borrowed */
    json_t *warnings;               /* array of texts; borrowed */
    const char *doubt;              /* why the numbers are not to be trusted, or NULL */
    const struct hm_images *images; /* borrowed */
    json_t *resumed;                /* array, borrowed: each time that the run went on */
};

/** A fresh id from the clock: sorts by time, and two runs of one second differ. */
void hm_manifest_new(struct hm_manifest *manifest);

/** What run.json says now. @return NULL when out of memory; json_decref it */
json_t *hm_manifest_json(const struct hm_manifest *manifest);

/** Write run.json anew, whole. @return 0, or an errno with a line */
int hm_manifest_write(const struct hm_manifest *manifest, const struct hm_folder *folder,
                      struct hm_error *error);

/** Read run.json of a folder. @return 0 and *out (json_decref it), or an errno with a line */
int hm_manifest_read(json_t **out, const char *folder, struct hm_error *error);

/** Take the units of all groups from an earlier run.json; the plan must have the same cells.
 *  @return 0, or EINVAL with a line that says what differs */
int hm_manifest_resume(const json_t *json, struct hm_plan *plan, struct hm_manifest *out,
                       struct hm_error *error);

#endif
