/* A run that stops when it knows enough: between its rounds it looks at what is decided, and at the clock.
 *
 * The looks themselves are those of stats/looks.h, held on samples.csv as it is then, by the very code that
 * writes stats.csv. A group rests when all that is to be decided in it is: its time goes to the others.
 * All of this does nothing in a run with a fixed number of rounds. */
#ifndef HM_HARNESS_MEASURE_LOOKS_H
#define HM_HARNESS_MEASURE_LOOKS_H

#include "harness/measure/session.h"

/** Seconds on the monotonic clock. */
double hm_looks_now(void);

/** Before a round: whether it is begun. It is not when all groups rest, no look is left, or the budget has
 *  no room for one that takes as long as the last one did. The first round of a part is always begun. */
bool hm_looks_go_on(struct hm_session *session);

/** Within a round: the time since the last call was this group's. */
void hm_looks_clock(struct hm_session *session, size_t group);

/** After a round. @param rounds that are done  @return 0, or an errno with a line */
int hm_looks_after(struct hm_session *session, unsigned rounds, struct hm_error *error);

/** After the last round: when the budget has ended the run, the next look is held at once. @return as above */
int hm_looks_end(struct hm_session *session, unsigned rounds, struct hm_error *error);

#endif
