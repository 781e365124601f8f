/* One run in progress: calibration, then rounds.
 *
 * A round is one process of every cell. All cells of a group do the same number of units, which a
 * calibration in processes of its own chose. A cell that fails is not run again: its other samples
 * could not be used. */
#ifndef HM_HARNESS_MEASURE_SESSION_H
#define HM_HARNESS_MEASURE_SESSION_H

#include "harness/measure/progress.h"
#include "harness/plan/plan.h"
#include "harness/results/folder.h"
#include "harness/results/images.h"
#include "harness/results/samples.h"

struct hm_session {
    struct hm_plan *plan;
    const struct hm_topology *topology;
    const struct hm_folder *folder;
    struct hm_samples *samples;
    struct hm_progress *progress;
    struct hm_images *images;
    const char *program; /* absolute path of heapmark */
    const volatile sig_atomic_t *interrupted;
    bool *done;      /* [pass][cell][round]: measured by an earlier part of this run */
    bool *failed;    /* [cell] */
    double *group_s; /* [group]: what it took in the round before, or so far in this one */
    double begun_s;  /* on the monotonic clock: the run, or this part of it */
    double clock_s;  /* up to here the time of the round is known */
    uint64_t *
        checksums; /* [group], and those of other numbers of units: of the first good process; 0 before it */
};

/** @return 0 or ENOMEM. hm_session_free it; the fields above `done` are borrowed. */
int hm_session_init(struct hm_session *session);
void hm_session_free(struct hm_session *session);

/** Mark what samples.csv holds already, for --resume. */
int hm_session_recall(struct hm_session *session, struct hm_error *error);

/** Whether that is measured already. */
bool *hm_session_done(const struct hm_session *session, enum hm_pass pass, size_t cell,
                      unsigned round);
/** Whether it is to be measured in this pass and round. */
bool hm_session_wants(const struct hm_session *session, size_t cell,
                      const struct hm_sample_place *place);

/** Choose the units of every group that has none yet. @return 0, EINTR when interrupted, or an
 * errno with a line */
int hm_session_calibrate(struct hm_session *session, struct hm_error *error);

/** Measure all rounds. @return as above */
int hm_session_measure(struct hm_session *session, struct hm_error *error);

/** How many cells failed (not: were skipped). */
size_t hm_session_failures(const struct hm_session *session);

#endif
