/* Garbage over the work. */
#include "harness/cell/garbage.h"

#include "harness/cell/channel.h"
#include "harness/stats/trend.h"
#include "workloads/scratch.h"

#include <math.h>

enum {
    POINTS_MAX = 128,
};

static struct {
    double objects[POINTS_MAX];
    double at[POINTS_MAX]; /* units; then operations */
    size_t count;
    bool unknown;
} garbage;

void hm_garbage_note(uint64_t objects, uint64_t units) {
    if (objects == UINT64_MAX)
        garbage.unknown = true;
    else if (garbage.count < POINTS_MAX) {
        garbage.objects[garbage.count] = (double)objects;
        garbage.at[garbage.count++] = (double)units;
    }
}

static void tell_trend(const struct hm_trend *trend) {
    if (isfinite(trend->slope))
        hm_tell("value garbage_slope_per_op -1 %.17g", trend->slope);
    if (trend->label != HM_TREND_UNKNOWN)
        hm_tell("value garbage_trend -1 %d", trend->label);
}

void hm_garbage_tell(const struct hm_engine *engine) {
    double *room = hm_scratch(hm_trend_room(POINTS_MAX) * sizeof *room);
    double peak = 0;
    if (garbage.unknown || !garbage.count || !room)
        return;
    for (size_t i = 0; i < garbage.count; i++) {
        garbage.at[i] *= (double)hm_engine_ops(engine, 1);
        peak = fmax(peak, garbage.objects[i]);
    }
    const struct hm_trend trend = hm_trend_of(garbage.at, garbage.objects, garbage.count,
                                              (double)hm_engine_used_objects(engine), room);
    hm_tell("value garbage_peak_objects -1 %.17g", peak);
    tell_trend(&trend);
}
