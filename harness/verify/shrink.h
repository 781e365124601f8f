/* Makes a failing script short: delta debugging (Zeller and Hildebrandt, Simplifying and Isolating
 * Failure-Inducing Input, 2002), in chunks that are halved down to single operations. */
#ifndef HM_HARNESS_VERIFY_SHRINK_H
#define HM_HARNESS_VERIFY_SHRINK_H

#include "harness/verify/property.h"
#include "harness/verify/script.h"

struct hm_shrink {
    struct hm_verify *v;
    struct hm_player *player; /* untouched: each trial plays in a forked process */
    struct hm_op *ops;
    struct hm_op *trial; /* room for as many */
    size_t count;
    double seconds; /* for all trials together */
};

/** Shorten `ops` in place. @return 0, or ENOENT when the whole script does not fail by itself */
int hm_shrink(struct hm_shrink *shrink);

#endif
