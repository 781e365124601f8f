/* The warm-up pass. */
#include "harness/cell/warmup.h"

#include "harness/cell/channel.h"
#include "harness/stats/warmup.h"
#include "workloads/scratch.h"

#include <math.h>

enum {
    ITERATIONS = 200,
};

struct iterations {
    size_t count;
    double *times;     /* ns for one operation of a thread */
    double *begins_ns; /* of the work so far, which begins with 0; one more than iterations */
    struct hm_warmup_room room;
};

static void tell_value(const char *metric, double value) {
    if (isfinite(value))
        hm_tell("value %s -1 %.17g", metric, value);
}

static void open_iterations(struct iterations *it, size_t count) {
    size_t segments = count / HM_SEGMENT_LEAST + 1;
    it->count = count;
    it->times = hm_scratch(count * sizeof *it->times);
    it->begins_ns = hm_scratch((count + 1) * sizeof *it->begins_ns);
    it->room.sorted = hm_scratch(count * sizeof *it->room.sorted);
    it->room.steps = hm_scratch((count + 1) * sizeof *it->room.steps);
    it->room.segments = hm_scratch(segments * sizeof *it->room.segments);
    if (!it->times || !it->begins_ns || !it->room.sorted || !it->room.steps || !it->room.segments)
        hm_tell_failure("oom", "no memory for the times of the iterations");
}

static void run_iterations(struct hm_engine *engine, const struct hm_cell_config *config,
                           struct iterations *it) {
    uint64_t asked = 0;
    for (size_t i = 0; i < it->count; i++) {
        uint64_t units = config->units * (i + 1) / it->count - asked;
        asked += units;
        double ns = hm_engine_run(engine, units) * 1e9;
        it->begins_ns[i + 1] = it->begins_ns[i] + ns;
        it->times[i] = ns / ((double)hm_engine_ops(engine, units) / config->threads);
        if (!(ns > 0))
            hm_tell_failure("untrusted", "the clock did not advance");
    }
    hm_engine_check_done(engine, asked);
}

static void tell_series(const struct iterations *it, const struct hm_warmup *w) {
    for (size_t i = 0; i < it->count; i++)
        hm_tell("point iteration_ns -1 %.0f %.17g", it->begins_ns[i], it->times[i]);
    for (size_t i = 0; i < w->segments; i++)
        hm_tell("point segment_ns -1 %.0f %.17g", it->begins_ns[it->room.segments[i].first],
                it->room.segments[i].mean);
}

static void tell_label(const struct iterations *it, const struct hm_warmup *w) {
    if (w->label == HM_WARMUP_UNKNOWN)
        return;
    tell_value("warmup_label", w->label);
    tell_value("warmup_outliers", (double)w->outliers);
    if (w->label == HM_WARMUP_UNSTEADY)
        return;
    tell_value("steady_after_ns", it->begins_ns[w->steady_from]);
    tell_value("steady_time_ns", w->steady_mean);
}

void hm_warmup_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    struct iterations it = {0};
    open_iterations(&it, config->units < ITERATIONS ? config->units : ITERATIONS);
    hm_engine_warm_up(engine); /* of no units: what is counted begins here */
    run_iterations(engine, config, &it);
    struct hm_warmup w = hm_warmup_of(it.times, it.count, &it.room);
    double ops = (double)hm_engine_ops(engine, config->units) / config->threads;
    tell_value("warmup_time_ns", it.begins_ns[it.count] / ops);
    tell_series(&it, &w);
    tell_label(&it, &w);
}
