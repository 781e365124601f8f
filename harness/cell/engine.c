/* The engine of a measured process. */
#include "harness/cell/engine.h"

#include "collectors/safepoint.h"
#include "harness/cell/channel.h"
#include "harness/cell/collecting.h"
#include "harness/cell/figures.h"
#include "harness/cell/latency.h"
#include "harness/cell/latency_record.h"
#include "harness/machine/pin.h"
#include "harness/machine/proc.h"
#include "workloads/footprint.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct worker {
    struct hm_engine *engine;
    pthread_t thread;
    struct hm_run run;
    struct hm_gc *gc;
    struct hm_pauses pauses;
    uint64_t begin_ns, end_ns; /* of the last timed step */
    uint64_t busy_ns;          /* in all timed steps of the last run, and of those that went on */
    uint64_t units_done;       /* since the warm-up */
    struct hm_gc_stats stats;
    double *figures;    /* of its own; all workers' are one array */
    const char *failed; /* status of a step that failed, or NULL */
    const char *what;   /* what failed, in words */
    int code;           /* its errno */
    char pinned[128];   /* CPUs read back */
} __attribute__((aligned(128)));

typedef void step_fn(struct worker *worker);

enum {
    USAGE_NS = 10000, /* more than it takes to read what the process used */
};

__thread int hm_engine_thread = -1;

struct hm_engine {
    const struct hm_cell_config *config;
    const struct hm_workload *workload;
    struct hm_memory_stack memory;
    pthread_barrier_t barrier;
    step_fn *step; /* what all workers do next; NULL: end */
    uint64_t units;
    unsigned part, parts; /* of a unit */
    uint64_t ops_per_unit;
    uint64_t base_resident, base_mapped; /* not the heap's; scratch memory left out */
    uint64_t began_ns;
    uint64_t timed_ns; /* of all runs since then */
    uint64_t lead_ns;  /* before the next timed step */
    uint64_t start_ns; /* of this one: no thread begins earlier */
    hm_engine_watch_fn *watch;
    hm_engine_unit_fn *unit; /* does one; NULL: the workload does all of a step */
    bool torn_down;
    unsigned count;
    struct worker *workers;
    int *process_pins;           /* where the workload's processes are, as they read it back */
    struct hm_proc_usage before; /* this timed step */
    struct hm_proc_usage used;   /* in all timed steps of the last run, and of those that went on */
};

uint64_t hm_engine_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(struct worker *w, const char *status, const char *what, int code) {
    w->failed = status;
    w->what = what;
    w->code = code;
}

/* What the workload itself says of a failure comes before what we make of it. */
static void fail_in_work(struct worker *w, const char *status, const char *what, int code) {
    if (w->run.failed)
        fail(w, "invalid", w->run.failed, 0);
    else
        fail(w, status, what, code);
}

static void *work(void *arg) {
    struct worker *w = arg;
    for (;;) {
        pthread_barrier_wait(&w->engine->barrier);
        if (!w->engine->step)
            return NULL;
        w->engine->step(w);
        pthread_barrier_wait(&w->engine->barrier);
    }
}

/* All workers do one step; the first failure of any ends the process. */
static void do_step(struct hm_engine *e, step_fn *step) {
    e->step = step;
    pthread_barrier_wait(&e->barrier);
    step(&e->workers[0]);
    pthread_barrier_wait(&e->barrier);
    for (unsigned i = 0; i < e->count; i++) {
        struct worker *w = &e->workers[i];
        if (w->failed)
            hm_tell_failure(w->failed, "thread %u: %s%s%s", i, w->what, w->code ? ": " : "",
                            w->code ? strerror(w->code) : "");
    }
}

static void step_pin(struct worker *w) {
    int cpu = w->engine->config->cpus[w->run.thread];
    int bad = cpu >= 0 ? hm_pin_self(cpu) : 0;
    hm_engine_thread = (int)w->run.thread;
    if (hm_pin_read(w->pinned, sizeof w->pinned))
        snprintf(w->pinned, sizeof w->pinned, "unknown");
    if (bad)
        snprintf(w->pinned, sizeof w->pinned, "failed:%s", strerror(bad));
}

/* Under a collector that all threads share, its pauses are the first worker's to keep. */
static bool owns_collector(const struct worker *w) {
    return w->run.thread == 0 || w->engine->config->threading == HM_ISOLATED;
}

/* A thread works on objects only in its turn: between two of them it waits for the other threads, and must
 * neither hold their lock nor keep a collector waiting. */
static void begin_turn(const struct worker *w) {
    if (w->engine->config->has_collector)
        hm_mutators_enter();
}

static void end_turn(const struct worker *w) {
    if (w->engine->config->has_collector)
        hm_mutators_leave();
}

static int open_collector(struct worker *w) {
    const struct hm_cell_config *c = w->engine->config;
    bool shared = c->threading != HM_ISOLATED;
    const struct hm_gc_options options = {.params = c->collector.params.values,
                                          .memory = w->run.memory,
                                          .events = &w->pauses.events,
                                          .mutators = shared ? w->engine->count : 1,
                                          .threading = c->threading};
    return c->collector.part->open(&w->gc, &options);
}

static struct worker *worker_of(const struct hm_run *run) {
    return (struct worker *)((char *)run - offsetof(struct worker, run));
}

static int enter_own_thread(const struct hm_run *run) {
    return hm_memory_stack_enter(&worker_of(run)->engine->memory);
}

static void leave_own_thread(const struct hm_run *run) {
    hm_memory_stack_leave(&worker_of(run)->engine->memory);
}

static void step_open(struct worker *w) {
    struct hm_engine *e = w->engine;
    int bad = hm_memory_stack_enter(&e->memory);
    if (bad)
        return fail(w, "invalid", "the allocator refuses the thread", bad);
    if (e->config->has_collector && e->config->pass == HM_PASS_LATENCY && hm_latency_enter())
        return fail(w, "oom", "no memory for the record of latencies", 0);
    bad = e->config->has_collector && owns_collector(w) ? open_collector(w) : 0;
    if (bad)
        fail(w, bad == ENOMEM ? "oom" : "invalid", "the collector does not open", bad);
}

static int attach(struct worker *w) {
    if (!owns_collector(w))
        w->gc = w->engine->workers[0].gc;
    w->run.mutator = w->engine->config->collector.part->attach(w->gc);
    return w->run.mutator ? 0 : ENOMEM;
}

static void step_set_up(struct worker *w) {
    struct hm_engine *e = w->engine;
    begin_turn(w);
    int bad = e->config->has_collector ? attach(w) : 0;
    if (!bad)
        bad = e->workload->setup(&w->run);
    end_turn(w);
    if (bad)
        fail_in_work(w, bad == ENOMEM ? "oom" : "invalid", "the workload's set-up", bad);
}

static void step_prepare(struct worker *w) {
    begin_turn(w);
    int bad = w->engine->workload->prepare(&w->run);
    end_turn(w);
    if (bad)
        fail(w, bad == ENOMEM ? "oom" : "invalid", "the preparation of a unit", bad);
}

static void warm_up(struct worker *w, uint64_t units) {
    begin_turn(w);
    if (w->engine->workload->run(&w->run, units) < units)
        fail_in_work(w, "oom", "memory ran out while warming up", 0);
    end_turn(w);
}

static void step_warm_up(struct worker *w) {
    const struct hm_cell_config *c = w->engine->config;
    uint64_t until = hm_engine_now_ns() + c->spin_ns;
    while (c->spin_ns && hm_engine_now_ns() < until)
        ;
    if (c->warmup_units && !w->engine->workload->prepare)
        warm_up(w, c->warmup_units);
}

static void step_warm_up_unit(struct worker *w) {
    warm_up(w, 1);
}

static void step_skip(struct worker *w) {
    struct hm_engine *e = w->engine;
    if (e->workload->run(&w->run, e->units) < e->units)
        fail_in_work(w, "oom", "memory ran out between two slices", 0);
}

static void wait_until(uint64_t ns) {
    while (hm_engine_now_ns() < ns)
        ;
}

/* What the wait costs is not the work's: it is left out of what the process used, but for the last moment,
 * in which that is read. */
static void wait_for_start(struct worker *w) {
    struct hm_engine *e = w->engine;
    if (w->run.thread == 0 && e->start_ns) {
        wait_until(e->start_ns - USAGE_NS);
        hm_proc_usage_read(&e->before);
    }
    wait_until(e->start_ns);
}

static uint64_t run_each(struct hm_engine *e, struct hm_run *run) {
    uint64_t done = 0;
    while (done < e->units && e->unit(e->workload, run))
        done++;
    return done;
}

static void step_run(struct worker *w) {
    struct hm_engine *e = w->engine;
    wait_for_start(w);
    w->begin_ns = hm_engine_now_ns();
    begin_turn(w);
    uint64_t done = e->unit ? run_each(e, &w->run) : e->workload->run(&w->run, e->units);
    end_turn(w);
    w->end_ns = hm_engine_now_ns();
    w->busy_ns += w->end_ns - w->begin_ns;
    w->units_done += done;
    if (w->run.failed)
        fail(w, "invalid", w->run.failed, 0);
}

static void step_run_part(struct worker *w) {
    struct hm_engine *e = w->engine;
    begin_turn(w);
    bool done = e->workload->run_part(&w->run, e->part, e->parts);
    end_turn(w);
    w->units_done += done && e->part + 1 == e->parts;
    if (!done)
        fail_in_work(w, "oom", "memory ran out", 0);
}

static void step_measure(struct worker *w) {
    begin_turn(w);
    w->engine->workload->measure(&w->run, w->figures);
    end_turn(w);
}

static void step_verify(struct worker *w) {
    begin_turn(w);
    const char *broken = w->engine->workload->verify(&w->run);
    end_turn(w);
    if (broken)
        fail(w, "invalid", broken, 0);
}

static void step_tear_down(struct worker *w) {
    struct hm_engine *e = w->engine;
    begin_turn(w);
    e->workload->teardown(&w->run);
    if (w->gc)
        e->config->collector.part->detach(w->run.mutator);
    end_turn(w);
}

static void step_close(struct worker *w) {
    struct hm_engine *e = w->engine;
    if (w->gc && owns_collector(w)) {
        e->config->collector.part->stats(w->gc, &w->stats);
        e->config->collector.part->close(w->gc);
    }
    hm_memory_stack_leave(&e->memory);
}

static uint64_t mapped_now(void) {
    uint64_t bytes = hm_proc_mapped_bytes();
    return bytes == UINT64_MAX ? UINT64_MAX : bytes - hm_scratch_bytes();
}

/* What is mapped before the heap is opened, and not its. A library that stands in for malloc has mapped
 * memory before main began: of that, what is not touched yet is the heap's.
 * @return UINT64_MAX when not known */
static uint64_t taken_now(const struct hm_engine *e) {
    pthread_attr_t defaults;
    size_t stack = 0;
    uint64_t bytes = hm_proc_taken_bytes();
    if (!pthread_attr_init(&defaults)) {
        pthread_attr_getstacksize(&defaults, &stack);
        pthread_attr_destroy(&defaults);
    }
    return bytes == UINT64_MAX ? bytes : bytes + (e->count - 1) * stack - hm_scratch_bytes();
}

/* A memory of which only the base is open would lack layers: all or nothing. */
static void open_memory(struct hm_engine *e) {
    uint64_t mapped = mapped_now(); /* first: it needs pages of the stack */
    uint64_t taken = taken_now(e);
    e->base_resident = hm_footprint_resident();
    const struct hm_workload *part = e->config->workload.part;
    unsigned own =
        part->own_threads ? part->own_threads(e->config->workload.params.values, e->count) : 0;
    int bad = hm_memory_stack_open(&e->memory, &e->config->allocator, e->count + own);
    if (bad)
        hm_tell_failure(bad == ENOMEM ? "oom" : "invalid", "%s does not open: %s",
                        e->config->allocator.text, strerror(bad));
    bool is_libc = e->memory.open[e->memory.count - 1].shape == HM_SHAPE_LIBC;
    e->base_mapped = is_libc && taken < mapped ? taken : mapped;
    const struct hm_memory *top = hm_memory_stack_top(&e->memory);
    const char *collector = !e->config->has_collector            ? NULL
                            : e->config->pass == HM_PASS_LATENCY ? HM_LATENCY_VARIANT
                                                                 : e->config->collector.part->name;
    e->workload = hm_workload_variant(e->config->workload.part->name, top->shape, collector);
    if (!e->workload)
        hm_tell_failure("invalid", "no variant of %s for this allocator and collector",
                        e->config->workload.part->name);
    for (unsigned i = 0; i < e->count; i++)
        e->workers[i].run.memory = top;
}

static void make_figures(struct hm_engine *e) {
    unsigned count = hm_figure_count(e->workload);
    double *figures = count ? hm_scratch((size_t)e->count * count * sizeof *figures) : NULL;
    if (count && !figures)
        hm_tell_failure("oom", "no memory for the workload's figures");
    for (unsigned i = 0; count && i < e->count; i++)
        e->workers[i].figures = figures + (size_t)i * count;
}

static void init_worker(struct hm_engine *e, unsigned i, void *shared) {
    struct worker *w = &e->workers[i];
    const struct hm_cell_config *c = e->config;
    w->engine = e;
    w->run = (struct hm_run){.params = c->workload.params.values,
                             .seed = c->seed,
                             .thread = i,
                             .threads = e->count,
                             .together = c->has_collector && c->threading != HM_ISOLATED,
                             .shared = shared,
                             .cpus = c->cpus,
                             .process_cpus = c->process_cpus,
                             .process_pins = e->process_pins,
                             .enter = enter_own_thread,
                             .leave = leave_own_thread};
    if (c->has_collector && hm_pauses_open(&w->pauses))
        hm_tell_failure("oom", "no memory for the record of pauses");
    w->pauses.silent = c->pass == HM_PASS_INSTRUCTIONS;
}

static void *map_shared(const struct hm_cell_config *c) {
    const struct hm_workload *part = c->workload.part;
    size_t bytes =
        part->shared_bytes ? part->shared_bytes(c->workload.params.values, c->threads) : 0;
    void *shared = bytes ? hm_scratch(bytes) : NULL;
    if (bytes && !shared)
        hm_tell_failure("oom", "no memory for what the threads share");
    return shared;
}

/* Behind those of the threads. */
static void tell_process_pins(const struct hm_engine *e) {
    for (unsigned i = 0; i < e->config->processes; i++) {
        int asked = e->config->process_cpus[i];
        int found = e->process_pins[i];
        if (asked >= 0 && found != asked)
            hm_tell("pin %u %d failed:process", e->count + i, asked);
        else
            hm_tell("pin %u %d %d", e->count + i, asked, found);
    }
}

struct hm_engine *hm_engine_start(const struct hm_cell_config *config) {
    static struct hm_engine engine;
    struct hm_engine *e = &engine;
    const struct hm_workload *part = config->workload.part;
    e->config = config;
    e->count = config->threads;
    e->ops_per_unit = part->ops_per_unit ? part->ops_per_unit(config->workload.params.values) : 1;
    e->workers = hm_scratch(e->count * sizeof *e->workers);
    e->process_pins = hm_scratch((config->processes + 1) * sizeof *e->process_pins);
    if (!e->workers || !e->process_pins)
        hm_tell_failure("oom", "no memory for the threads");
    void *shared = map_shared(config);
    pthread_barrier_init(&e->barrier, NULL, e->count);
    for (unsigned i = 0; i < e->count; i++)
        init_worker(e, i, shared);
    for (unsigned i = 1; i < e->count; i++) {
        int bad = pthread_create(&e->workers[i].thread, NULL, work, &e->workers[i]);
        if (bad)
            hm_tell_failure("invalid", "thread %u does not start: %s", i, strerror(bad));
    }
    do_step(e, step_pin);
    for (unsigned i = 0; i < e->count; i++)
        hm_tell("pin %u %d %s", i, config->cpus[i], e->workers[i].pinned);
    open_memory(e);
    make_figures(e);
    hm_mutators_open(config->threading);
    do_step(e, step_open);
    do_step(e, step_set_up);
    tell_process_pins(e);
    return e;
}

/* What is cut into parts is looked at on a fresh heap. */
static void warm_up_prepared(struct hm_engine *e) {
    bool is_fresh = e->config->pass == HM_PASS_SPACE && e->workload->run_part;
    for (uint64_t i = 0; !is_fresh && i < e->config->warmup_units; i++) {
        do_step(e, step_prepare);
        do_step(e, step_warm_up_unit);
    }
}

void hm_engine_warm_up(struct hm_engine *engine) {
    do_step(engine, step_warm_up);
    if (engine->workload->prepare)
        warm_up_prepared(engine);
    hm_engine_measure(engine);
    for (unsigned i = 0; i < engine->count; i++) {
        engine->workers[i].units_done = 0;
        engine->workers[i].run.checksum = 0; /* of the work alone */
    }
    for (unsigned i = 0; i < hm_engine_collectors(engine); i++)
        hm_pauses_reset(&engine->workers[i].pauses);
    engine->timed_ns = 0;
    engine->began_ns = hm_engine_now_ns();
}

static void add_usage(struct hm_proc_usage *sum, const struct hm_proc_usage *before) {
    struct hm_proc_usage now;
    hm_proc_usage_read(&now);
    sum->minor_faults += now.minor_faults - before->minor_faults;
    sum->major_faults += now.major_faults - before->major_faults;
    sum->voluntary_switches += now.voluntary_switches - before->voluntary_switches;
    sum->involuntary_switches += now.involuntary_switches - before->involuntary_switches;
    sum->cpu_s += now.cpu_s - before->cpu_s;
}

/* @return wall seconds */
static double run_timed(struct hm_engine *engine, uint64_t units) {
    engine->units = units;
    hm_proc_usage_read(&engine->before);
    uint64_t now_ns = hm_engine_now_ns();
    engine->start_ns = engine->lead_ns ? now_ns + engine->lead_ns : 0;
    for (unsigned i = 0; i < hm_engine_collectors(engine); i++)
        engine->workers[i].pauses.zero_ns = now_ns + engine->lead_ns - engine->timed_ns;
    engine->lead_ns = 0;
    if (engine->watch)
        engine->watch(true, engine->timed_ns);
    do_step(engine, step_run);
    add_usage(&engine->used, &engine->before);
    uint64_t begin = UINT64_MAX;
    uint64_t end = 0;
    for (unsigned i = 0; i < engine->count; i++) {
        const struct worker *w = &engine->workers[i];
        begin = w->begin_ns < begin ? w->begin_ns : begin;
        end = w->end_ns > end ? w->end_ns : end;
    }
    for (unsigned i = 0; i < hm_engine_collectors(engine); i++)
        hm_pauses_settle(&engine->workers[i].pauses, begin - engine->timed_ns);
    engine->timed_ns += end - begin;
    if (engine->watch)
        engine->watch(false, engine->timed_ns);
    return (double)(end - begin) * 1e-9;
}

/* The pauses of it are not on the record. */
static void prepare_unit(struct hm_engine *engine) {
    for (unsigned i = 0; i < engine->count; i++)
        engine->workers[i].pauses.recording = false;
    do_step(engine, step_prepare);
    for (unsigned i = 0; i < engine->count; i++)
        engine->workers[i].pauses.recording = !engine->workers[i].pauses.silent;
}

void hm_engine_prepare(struct hm_engine *engine) {
    if (engine->workload->prepare)
        prepare_unit(engine);
}

double hm_engine_run_on(struct hm_engine *engine, uint64_t units, uint64_t lead_ns) {
    engine->lead_ns = lead_ns;
    if (!engine->workload->prepare)
        return run_timed(engine, units);
    double seconds = 0;
    for (uint64_t i = 0; i < units; i++) {
        prepare_unit(engine);
        seconds += run_timed(engine, 1);
    }
    return seconds;
}

void hm_engine_skip(struct hm_engine *engine, uint64_t units) {
    engine->units = units;
    do_step(engine, step_skip);
}

double hm_engine_run(struct hm_engine *engine, uint64_t units) {
    engine->used = (struct hm_proc_usage){0};
    for (unsigned i = 0; i < engine->count; i++)
        engine->workers[i].busy_ns = 0;
    return hm_engine_run_on(engine, units, 0);
}

void hm_engine_watch(struct hm_engine *engine, hm_engine_watch_fn *watch) {
    engine->watch = watch;
}

void hm_engine_each(struct hm_engine *engine, hm_engine_unit_fn *unit) {
    engine->unit = unit;
}

bool hm_engine_does_single_ops(const struct hm_engine *engine) {
    const struct hm_workload *w = engine->workload;
    return engine->ops_per_unit == 1 && !w->is_unit_of_all && !w->prepare;
}

bool hm_engine_cuts_units(const struct hm_engine *engine) {
    return engine->workload->run_part;
}

void hm_engine_run_part(struct hm_engine *engine, unsigned part, unsigned parts) {
    engine->part = part;
    engine->parts = parts;
    do_step(engine, step_run_part);
}

const struct hm_proc_usage *hm_engine_used(const struct hm_engine *engine) {
    return &engine->used;
}

void hm_engine_check_done(struct hm_engine *engine, uint64_t asked) {
    uint64_t done = 0;
    unsigned times = 1;
    for (unsigned i = 0; i < engine->count; i++)
        done += engine->workers[i].units_done;
    if (engine->workload->is_unit_of_all && engine->count)
        times = engine->count;
    hm_tell("ops %llu", (unsigned long long)(done * engine->ops_per_unit / times));
    if (done < asked * engine->count)
        hm_tell_failure("oom", "memory ran out after %llu of %llu units", (unsigned long long)done,
                        (unsigned long long)(asked * engine->count));
}

const double *hm_engine_measure(struct hm_engine *engine) {
    unsigned count = hm_figure_count(engine->workload);
    double *figures = engine->workers[0].figures;
    for (unsigned i = 0; i < engine->count * count; i++)
        figures[i] = NAN;
    if (count)
        do_step(engine, step_measure);
    return figures;
}

void hm_engine_verify(struct hm_engine *engine) {
    do_step(engine, step_verify);
}

static uint64_t add_known(uint64_t a, uint64_t b) {
    return a == HM_UNKNOWN || b == HM_UNKNOWN ? HM_UNKNOWN : a + b;
}

static void tell_collectors(const struct hm_engine *e) {
    struct hm_gc_stats sum = {0};
    for (unsigned i = 0; i < hm_engine_collectors(e); i++) {
        const struct hm_gc_stats *s = &e->workers[i].stats;
        sum.allocated_objects += s->allocated_objects;
        sum.freed_objects = add_known(sum.freed_objects, s->freed_objects);
        sum.collected = add_known(sum.collected, s->collected);
        sum.visited = add_known(sum.visited, s->visited);
        sum.header_bytes = s->header_bytes;
        for (int g = 0; g < 3; g++)
            sum.collections[g] += s->collections[g];
    }
    hm_tell_collectors(&sum);
}

void hm_engine_tear_down(struct hm_engine *engine) {
    if (engine->torn_down)
        return;
    for (unsigned i = 0; i < engine->count; i++)
        engine->workers[i].pauses.recording = false;
    do_step(engine, step_tear_down);
    engine->torn_down = true;
}

void hm_engine_finish(struct hm_engine *engine) {
    hm_engine_tear_down(engine);
    do_step(engine, step_close);
    engine->step = NULL;
    pthread_barrier_wait(&engine->barrier);
    for (unsigned i = 1; i < engine->count; i++)
        pthread_join(engine->workers[i].thread, NULL);
    if (engine->config->has_collector)
        tell_collectors(engine);
    hm_memory_stack_close(&engine->memory);
}

double hm_engine_thread_seconds(const struct hm_engine *engine, unsigned thread) {
    return (double)engine->workers[thread].busy_ns * 1e-9;
}

uint64_t hm_engine_ops_per_unit(const struct hm_engine *engine) {
    return engine->ops_per_unit;
}

uint64_t hm_engine_ops(const struct hm_engine *engine, uint64_t units) {
    unsigned times = engine->workload->is_unit_of_all ? 1 : engine->count;
    return units * engine->ops_per_unit * times;
}

uint64_t hm_engine_live_bytes(const struct hm_engine *engine) {
    uint64_t sum = 0;
    if (!engine->workload->live_bytes)
        return UINT64_MAX;
    for (unsigned i = 0; i < engine->count; i++)
        sum += engine->workload->live_bytes(&engine->workers[i].run);
    return sum;
}

unsigned hm_engine_collectors(const struct hm_engine *engine) {
    if (!engine->config->has_collector)
        return 0;
    return engine->config->threading == HM_ISOLATED ? engine->count : 1;
}

uint64_t hm_engine_used_objects(const struct hm_engine *engine) {
    uint64_t sum = 0;
    for (unsigned i = 0; engine->workload->live_objects && i < engine->count; i++)
        sum += engine->workload->live_objects(&engine->workers[i].run);
    return sum;
}

uint64_t hm_engine_garbage_objects(const struct hm_engine *engine) {
    uint64_t sum = 0;
    if (!engine->config->has_collector)
        return UINT64_MAX;
    for (unsigned i = 0; i < hm_engine_collectors(engine); i++) {
        struct hm_gc_stats s;
        engine->config->collector.part->stats(engine->workers[i].gc, &s);
        if (s.freed_objects == HM_UNKNOWN)
            return UINT64_MAX;
        sum += s.allocated_objects - s.freed_objects;
    }
    return sum - hm_engine_used_objects(engine);
}

static uint64_t grown(uint64_t now, uint64_t base) {
    if (now == UINT64_MAX || base == UINT64_MAX)
        return UINT64_MAX;
    return now > base ? now - base : 0;
}

uint64_t hm_engine_footprint_bytes(const struct hm_engine *engine) {
    return grown(hm_footprint_resident(), engine->base_resident);
}

uint64_t hm_engine_mapped_bytes(const struct hm_engine *engine) {
    return grown(mapped_now(), engine->base_mapped);
}

const struct hm_memory_stack *hm_engine_memory(const struct hm_engine *engine) {
    return &engine->memory;
}

uint64_t hm_engine_checksum(const struct hm_engine *engine) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < engine->count; i++)
        sum += hm_mix(engine->workers[i].run.checksum + i);
    return sum;
}

const struct hm_pauses *hm_engine_pauses(const struct hm_engine *engine, unsigned thread) {
    return &engine->workers[thread].pauses;
}

uint64_t hm_engine_began_ns(const struct hm_engine *engine) {
    return engine->began_ns;
}
