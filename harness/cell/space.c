/* The space pass. */
#include "harness/cell/space.h"

#include "harness/cell/channel.h"
#include "harness/cell/garbage.h"
#include "harness/cell/space_map.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <math.h>
#include <time.h>

enum {
    CHUNKS = 100,
    WITHIN = 200,      /* points to take within units, where there are fewer units than chunks */
    POINTS_MAX = 1024, /* there are more calls in the work than in the warm-up, but not so many */
};

/* UINT64_MAX: not known. */
struct point {
    uint64_t t_ns;
    uint64_t live, footprint, mapped, metadata;
    uint64_t garbage; /* objects */
    struct hm_space_now blocks;
};

static struct space {
    struct hm_engine *engine;
    bool is_heap;  /* the workload calls the allocator itself */
    bool is_alone; /* it has one thread: nobody else is inside the heap when that one looks */
    uint64_t zero_ns;
    struct point *within; /* points that threads took in the last chunk */
    uint64_t within_count;
    /* Over all points: */
    struct point fullest; /* the first one with the most live bytes; requested where not known */
    uint64_t peak_footprint, later_footprint; /* at any point; from the fullest on */
    uint64_t peak_mapped, peak_metadata;
    struct point last;
    bool begun; /* there is a last one */
} space;

static void tell_value(const char *metric, double value) {
    if (isfinite(value))
        hm_tell("value %s -1 %.17g", metric, value);
}

/* ---- Points ---- */

/* @param is_quiet nobody is inside the heap, which may be asked */
static struct point look(bool is_quiet) {
    struct point p = {.t_ns = hm_engine_now_ns() - space.zero_ns,
                      .live = UINT64_MAX,
                      .footprint = hm_engine_footprint_bytes(space.engine),
                      .mapped = hm_engine_mapped_bytes(space.engine),
                      .metadata = UINT64_MAX,
                      .garbage = UINT64_MAX};
    if (is_quiet)
        p.metadata = hm_memory_stack_metadata(hm_engine_memory(space.engine));
    hm_space_read(&p.blocks);
    if (space.is_heap && p.blocks.known)
        p.live = p.blocks.requested;
    return p;
}

static uint64_t level(const struct point *p) {
    return p->live != UINT64_MAX ? p->live : p->blocks.requested;
}

/* On any thread, in the middle of its work. */
static void look_within(void *arg) {
    (void)arg;
    uint64_t at = __atomic_fetch_add(&space.within_count, 1, __ATOMIC_RELAXED);
    if (at >= POINTS_MAX)
        return;
    struct point *p = &space.within[at];
    *p = look(space.is_alone);
    if (space.is_alone)
        hm_space_map_look(p->t_ns, level(p));
}

static void tell_point(const char *metric, const struct point *p, uint64_t value) {
    if (value != UINT64_MAX)
        hm_tell("point %s -1 %llu %llu", metric, (unsigned long long)p->t_ns,
                (unsigned long long)value);
}

/* What is not known is never more. */
static void raise(uint64_t *peak, uint64_t value) {
    if (*peak == UINT64_MAX || (value != UINT64_MAX && value > *peak))
        *peak = value;
}

static void take(const struct point *p) {
    tell_point("garbage_objects", p, p->garbage);
    tell_point("live_bytes", p, p->live);
    tell_point("footprint_bytes", p, p->footprint);
    tell_point("mapped_bytes", p, p->mapped);
    tell_point("metadata_bytes", p, p->metadata);
    if (level(p) > level(&space.fullest) || !space.begun) {
        space.fullest = *p;
        space.later_footprint = p->footprint;
    }
    raise(&space.peak_footprint, p->footprint);
    raise(&space.later_footprint, p->footprint);
    raise(&space.peak_mapped, p->mapped);
    raise(&space.peak_metadata, p->metadata);
    space.last = *p;
    space.begun = true;
}

static void take_within(void) {
    uint64_t count = space.within_count < POINTS_MAX ? space.within_count : POINTS_MAX;
    for (uint64_t i = 0; i < count; i++)
        take(&space.within[i]);
    space.within_count = 0;
}

/* Between two chunks. */
static void take_now(void) {
    struct point p = look(true);
    uint64_t live = hm_engine_live_bytes(space.engine);
    p.garbage = hm_engine_garbage_objects(space.engine);
    p.live = live != UINT64_MAX ? live : p.live;
    hm_space_map_look(p.t_ns, level(&p));
    take(&p);
}

/* ---- The pass ---- */

/* After so many calls a point is taken; 0 where there are units enough to stop between them. */
static uint64_t calls_apart(const struct hm_cell_config *config, uint64_t warm_calls) {
    if (config->units >= CHUNKS / 2 || !config->warmup_units || hm_engine_cuts_units(space.engine))
        return 0;
    double calls = (double)warm_calls / (double)config->warmup_units * (double)config->units;
    return calls < WITHIN ? 1 : (uint64_t)(calls / WITHIN);
}

static bool has_one_thread(const struct hm_cell_config *config) {
    const struct hm_workload *part = config->workload.part;
    unsigned own =
        part->own_threads ? part->own_threads(config->workload.params.values, config->threads) : 0;
    return config->threads + own == 1;
}

static void begin(struct hm_engine *engine, const struct hm_cell_config *config) {
    struct hm_space_now before, after;
    space = (struct space){.engine = engine,
                           .is_heap = config->workload.part->kind == HM_WORKLOAD_HEAP,
                           .is_alone = has_one_thread(config),
                           .peak_footprint = UINT64_MAX,
                           .peak_mapped = UINT64_MAX,
                           .peak_metadata = UINT64_MAX};
    space.within = hm_scratch(POINTS_MAX * sizeof *space.within);
    if (!space.within || hm_space_map_open(hm_engine_memory(engine)))
        hm_tell_failure("oom", "no memory for the points of the series");
    hm_space_read(&before);
    hm_engine_warm_up(engine);
    hm_space_read(&after);
    space.zero_ns = hm_engine_began_ns(engine);
    hm_space_begin(calls_apart(config, after.calls - before.calls), look_within, NULL);
}

static void run_chunks(struct hm_engine *engine, const struct hm_cell_config *config) {
    uint64_t asked = 0;
    uint64_t chunks = config->units < CHUNKS ? config->units : CHUNKS;
    take_now();
    hm_garbage_note(space.last.garbage, 0);
    for (uint64_t i = 0; i < chunks; i++) {
        uint64_t units = config->units * (i + 1) / chunks - asked;
        asked += units;
        hm_engine_run(engine, units);
        hm_engine_check_done(engine, asked);
        take_within();
        take_now();
        hm_garbage_note(space.last.garbage, asked);
    }
}

/* The first unit in parts, on a heap that nothing was done with before; then the others. */
static void run_parts(struct hm_engine *engine, const struct hm_cell_config *config) {
    hm_engine_prepare(engine);
    take_now();
    for (unsigned i = 0; i < CHUNKS; i++) {
        hm_engine_run_part(engine, i, CHUNKS);
        take_now();
    }
    hm_engine_run(engine, config->units - 1);
    hm_engine_check_done(engine, config->units);
}

static double over(uint64_t a, uint64_t b) {
    return a != UINT64_MAX && b != UINT64_MAX && b ? (double)a / (double)b : NAN;
}

static void tell_ratios(void) {
    const struct hm_space_now *full = &space.fullest.blocks;
    if (full->known && full->usable)
        tell_value("internal_fragmentation", over(full->usable, full->requested));
    if (full->known && !space.is_heap)
        tell_value("footprint_over_requested_peak", over(space.fullest.footprint, full->requested));
    tell_value("footprint_over_live_peak", over(space.fullest.footprint, space.fullest.live));
    tell_value("footprint_over_live_end", over(space.last.footprint, space.last.live));
    tell_value("blowup_after_peak", over(space.later_footprint, space.fullest.footprint));
}

static void tell_peak(const char *metric, uint64_t peak, const char *reason) {
    if (peak != UINT64_MAX)
        tell_value(metric, (double)peak);
    else
        hm_tell("unknown %s %s", metric, reason);
}

void hm_space_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    begin(engine, config);
    if (hm_engine_cuts_units(engine))
        run_parts(engine, config);
    else
        run_chunks(engine, config);
    struct hm_space_now end;
    hm_space_read(&end);
    hm_space_begin(0, NULL, NULL);
    if (space.is_heap && end.known)
        tell_value("live_bytes", (double)end.peak);
    else if (space.fullest.live != UINT64_MAX)
        tell_value("live_bytes", (double)space.fullest.live);
    if (!space.is_heap && end.known)
        tell_value("requested_bytes", (double)end.peak);
    tell_ratios();
    hm_garbage_tell(engine);
    hm_space_map_tell();
    tell_peak("mapped_bytes", space.peak_mapped, "the kernel does not tell what is mapped");
    tell_peak("metadata_bytes", space.peak_metadata,
              "the allocator does not tell what its tables take");
    tell_peak("footprint_bytes", space.peak_footprint,
              "the kernel does not tell the resident memory");
}

/* ---- After the work ---- */

static const unsigned looks_s[] = {1, 10};

static void sleep_s(unsigned s) {
    struct timespec left = {s, 0};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

static void tell_returned(uint64_t before, unsigned after_s) {
    struct point p = look(false);
    char metric[32];
    snprintf(metric, sizeof metric, "returned_%us_bytes", after_s);
    if (before == UINT64_MAX || p.footprint == UINT64_MAX)
        return;
    tell_point("idle_footprint_bytes", &p, p.footprint);
    tell_value(metric, p.footprint < before ? (double)(before - p.footprint) : 0);
}

void hm_space_idle(struct hm_engine *engine, const struct hm_cell_config *config) {
    /* The verification of what is cut has emptied the heap, and touched more of it. */
    if (hm_engine_cuts_units(engine))
        hm_engine_run(engine, 1);
    uint64_t before = look(false).footprint;
    hm_engine_tear_down(engine);
    tell_returned(before, 0);
    unsigned slept_s = 0;
    for (size_t i = 0; i < sizeof looks_s / sizeof *looks_s && looks_s[i] <= config->idle_s; i++) {
        sleep_s(looks_s[i] - slept_s);
        slept_s = looks_s[i];
        tell_returned(before, slept_s);
    }
}
