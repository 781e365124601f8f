/* The measured process, from proof to end. */
#include "harness/cell/child.h"

#include "harness/cell/channel.h"
#include "harness/cell/collecting.h"
#include "harness/cell/counters.h"
#include "harness/cell/engine.h"
#include "harness/cell/figures.h"
#include "harness/cell/gbench.h"
#include "harness/cell/instructions.h"
#include "harness/cell/latency.h"
#include "harness/cell/proof.h"
#include "harness/cell/slices.h"
#include "harness/cell/space.h"
#include "harness/cell/warmup.h"
#include "harness/machine/image.h"
#include "harness/machine/proc.h"

#include <math.h>
#include <string.h>

enum {
    CALIBRATION_NS =
        1000000000, /* with what is prepared off the clock, give or take one doubling */
};

static const double beyond_doubt_s = 0.25;

static void tell_value(const char *metric, int thread, double value) {
    if (isfinite(value))
        hm_tell("value %s %d %.17g", metric, thread, value);
}

/* Twice, and the lesser, if once took long enough: that may have been a moment in which another process
 * had our CPU, or cold caches and unmapped pages; unless it took longer than these do.  @return seconds */
static double try_units(struct hm_engine *engine, uint64_t units, double goal_s, uint64_t *asked) {
    double least = INFINITY;
    for (int i = 0; i < 2; i++) {
        *asked += units;
        least = fmin(least, hm_engine_run(engine, units));
        hm_engine_check_done(engine, *asked);
        if (least < goal_s || least > beyond_doubt_s)
            break;
    }
    return least;
}

/* Double the work until it takes long enough to tell how long a unit takes. */
static void calibrate(struct hm_engine *engine, uint64_t goal_ns) {
    const double goal_s = (double)goal_ns * 1e-9;
    uint64_t units = 1;
    uint64_t asked = 0;
    hm_engine_warm_up(engine);
    uint64_t until_ns = hm_engine_now_ns() + CALIBRATION_NS;
    double seconds = try_units(engine, units, goal_s, &asked);
    while (seconds < goal_s && hm_engine_now_ns() < until_ns) {
        units *= 2;
        seconds = try_units(engine, units, goal_s, &asked);
    }
    tell_value("unit_ns", -1, seconds * 1e9 / (double)units);
    tell_value("peak_rss_bytes", -1, hm_proc_peak_resident_bytes());
}

struct timed {
    struct hm_engine *engine;
    const struct hm_cell_config *config;
    uint64_t units; /* of config's, those that are timed */
    double seconds;
};

static double measure(void *arg) {
    struct timed *t = arg;
    t->seconds = t->config->slices ? hm_slices_run(t->engine, t->units, t->config->units - t->units,
                                                   t->config->slices)
                                   : hm_engine_run(t->engine, t->units);
    return t->seconds;
}

static void tell_time(const struct timed *t) {
    const struct hm_proc_usage *used = hm_engine_used(t->engine);
    unsigned threads = t->config->threads;
    double ops = (double)hm_engine_ops(t->engine, t->units);
    double per_thread = ops / threads;
    if (!(t->seconds > 0))
        hm_tell_failure("untrusted", "the clock did not advance");
    tell_value("ops_per_second", -1, ops / t->seconds);
    tell_value("time_ns", -1, t->seconds * 1e9 / per_thread);
    tell_value("cpu_ns", -1, used->cpu_s * 1e9 / ops);
    for (unsigned i = 0; threads > 1 && i < threads; i++)
        tell_value("time_ns", (int)i, hm_engine_thread_seconds(t->engine, i) * 1e9 / per_thread);
    tell_value("minor_faults", -1, used->minor_faults);
    tell_value("major_faults", -1, used->major_faults);
    tell_value("voluntary_switches", -1, used->voluntary_switches);
    tell_value("involuntary_switches", -1, used->involuntary_switches);
}

static void time_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    bool is_led = config->slices && hm_slices_may_be_led(&config->workload, config->threads);
    uint64_t leads = is_led ? hm_slices_leads(config->units, config->slices) : 0;
    struct timed timed = {.engine = engine, .config = config, .units = config->units - leads};
    const struct hm_gbench what = {.name = config->gbench_name,
                                   .json = config->gbench,
                                   .iterations = timed.units,
                                   .ops = hm_engine_ops(engine, timed.units),
                                   .threads = config->threads,
                                   .measure = measure,
                                   .arg = &timed};
    hm_engine_warm_up(engine);
    if (hm_gbench_run(&what))
        hm_tell_failure("invalid", "Google Benchmark did not run the workload");
    hm_engine_check_done(engine, timed.units);
    tell_time(&timed);
    tell_value("peak_rss_bytes", -1, hm_proc_peak_resident_bytes());
    if (config->has_collector)
        hm_tell_pauses(engine, config, timed.seconds,
                       (double)timed.units * (double)hm_engine_ops_per_unit(engine));
}

/* What the harness puts between the workload and the allocator, in passes that are not of time. */
static void put_layer_on(struct hm_cell_config *config) {
    struct hm_allocator_spec *spec = &config->allocator;
    bool latency = config->pass == HM_PASS_LATENCY;
    if (latency && config->has_collector && hm_latency_on_objects(config->collector.part))
        hm_tell_failure("invalid", "%s has no functions that could be timed",
                        config->collector.part->name);
    const struct hm_allocator *layer = latency ? config->has_collector ? NULL : &hm_latency_layer
                                       : config->pass == HM_PASS_SPACE ? &hm_space_layer
                                                                       : NULL;
    if (!layer)
        return;
    if (spec->count >= HM_SPEC_LAYERS)
        hm_tell_failure("invalid", "%s has as many parts as there can be", spec->text);
    memmove(spec->parts + 1, spec->parts, spec->count * sizeof *spec->parts);
    memmove(spec->params + 1, spec->params, spec->count * sizeof *spec->params);
    spec->parts[0] = layer;
    spec->params[0] = (struct hm_params){0};
    spec->count++;
}

static void tell_image(void *arg, const char *path, const char *build_id) {
    (void)arg;
    hm_tell("image %s %s", build_id[0] ? build_id : "-", path);
}

int hm_cell_child(struct hm_cell_config *config) {
    struct hm_error error;
    char path[PATH_MAX];
    if (hm_proof_check(config->library, path, sizeof path, &error))
        hm_tell_failure("wrong-allocator", "%s", error.line);
    hm_tell("proof %s", path);
    put_layer_on(config);
    if (config->pass == HM_PASS_COUNTERS)
        hm_counters_open(); /* before the threads, which inherit them */
    struct hm_engine *engine = hm_engine_start(config);
    if (config->pass == HM_PASS_CALIBRATE)
        calibrate(engine, config->units);
    else if (config->pass == HM_PASS_TIME)
        time_pass(engine, config);
    else if (config->pass == HM_PASS_LATENCY)
        hm_latency_pass(engine, config);
    else if (config->pass == HM_PASS_INSTRUCTIONS)
        hm_instructions_pass(engine, config);
    else if (config->pass == HM_PASS_COUNTERS)
        hm_counters_pass(engine, config);
    else if (config->pass == HM_PASS_WARMUP)
        hm_warmup_pass(engine, config);
    else
        hm_space_pass(engine, config);
    if (config->pass == HM_PASS_TIME || config->pass == HM_PASS_SPACE)
        hm_tell_figures(config->workload.part, hm_engine_measure(engine), config->threads);
    hm_tell("checksum %016llx", (unsigned long long)hm_engine_checksum(engine));
    hm_engine_verify(engine);
    if (config->pass == HM_PASS_SPACE)
        hm_space_idle(engine, config);
    hm_images_each(tell_image, NULL); /* before what parts have opened is closed */
    hm_engine_finish(engine);
    hm_tell("end %s", config->nonce);
    hm_tell_flush();
    return 0;
}
