/* Whether a run that goes on measures the same code, by the same rules, on the same machine. */
#ifndef HM_HARNESS_RESULTS_RESUME_H
#define HM_HARNESS_RESULTS_RESUME_H

#include <jansson.h>

/** Hold an earlier run.json against the one that this run would write now: all that changes what is
 *  measured, the build of heapmark and of every library that was mapped among it. The number of rounds is not: rounds are
 *  drawn one by one, and more of them are the same run for longer.
 *  @return array of texts, a sentence without a full stop each; empty when nothing differs; NULL when out
 *  of memory. json_decref it */
json_t *hm_resume_misfits(const json_t *was, const json_t *is);

#endif
