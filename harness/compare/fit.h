/* Whether two runs can be compared at all: the same machine, work and words. */
#ifndef HM_HARNESS_COMPARE_FIT_H
#define HM_HARNESS_COMPARE_FIT_H

#include "harness/compare/side.h"

/** Told of one thing that differs, as a whole sentence without a full stop. */
typedef void hm_misfit_fn(void *arg, const char *line);

/** Tell of all that forbids to compare. @return how many there are */
size_t hm_fit_check(struct hm_side *base, struct hm_side *fresh, hm_misfit_fn *tell, void *arg);

/** Tell of what does not forbid it, but should be known. */
void hm_fit_notes(struct hm_side *base, struct hm_side *fresh, hm_misfit_fn *tell, void *arg);

#endif
