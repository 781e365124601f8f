/* Tells on stderr how far a run is: a bar with the time left on a terminal; elsewhere a line for each
 * round, and one for each cell when it has all its rounds. */
#ifndef HM_HARNESS_MEASURE_PROGRESS_H
#define HM_HARNESS_MEASURE_PROGRESS_H

#include "harness/cell/spawn.h"

struct hm_progress {
    bool terminal;
    bool quiet;   /* no lines for rounds and cells; set after the begin */
    size_t steps; /* processes of the whole run */
    size_t done;
    double spent_s;
    bool at_most; /* the rounds may be fewer */
    double end_s; /* on the monotonic clock: no later than that; 0: not known */
};

/** @param steps processes that will be run */
void hm_progress_begin(struct hm_progress *progress, size_t steps);
/** One process has ended. */
void hm_progress_step(struct hm_progress *progress, double seconds);
/** A round has ended. */
void hm_progress_round(struct hm_progress *progress, unsigned round, unsigned rounds);
/** A cell has all its rounds. @param time_ns of the last one: of an operation, or of a program */
void hm_progress_cell(struct hm_progress *progress, const struct hm_cell *cell, unsigned rounds,
                      double time_ns);
/** A group of cells takes no part in further rounds. @param steps that it would have taken */
void hm_progress_drop(struct hm_progress *progress, size_t steps);
/** A look has settled a cell's time. */
void hm_progress_decided(struct hm_progress *progress, const struct hm_cell *cell);
/** A cell failed, or is skipped: said at once. */
void hm_progress_failed(struct hm_progress *progress, const struct hm_cell *cell,
                        const struct hm_outcome *outcome);
void hm_progress_end(struct hm_progress *progress);

#endif
