/* Chains of nodes, most of them closed into cycles, live for a while and are dropped; whether the collector
 * keeps up with them is told by a witness in each, whose finalizer counts.
 *
 * Vocabulary
 *   group     a chain of `length` nodes. `cyclic` percent of the groups are closed: the last node refers to
 *             the first one.
 *   witness   an object that the first node of a group holds, with the payload. It has a finalizer, which
 *             runs as the group dies.
 *   trash     nodes of groups that were dropped, and whose witness has not been finalized.
 *
 * A unit makes a group, and puts it into the place of the oldest one that is held. The trash is counted
 * after each unit. Its most, and how fast it grows, are figures of this workload: the slope is the median
 * of the slopes between any two points (Theil and Sen), in nodes of trash for each node that is made. It
 * is 0 where the collector keeps up, and 1 where nothing is ever freed. It is not known of a run so short
 * that the collector has found trash less than four times, and not a hundred times the live nodes were made. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
    PARAM_LENGTH,
    PARAM_PAYLOAD,
    PARAM_LIVE,
    PARAM_CYCLIC,
};

enum {
    NEXT,
    WITNESS, /* NULL but in the first node */
};

enum {
    SCRIPT = 1 << 12, /* draws; the script starts again behind its end */
    POINTS = 200,     /* at most, of the trash over time */
    FALLS = 4,        /* of the trash, after which its slope can be told; or else: */
    TIMES_LIVE = 100, /* as many nodes made as are held */
};

static const struct hm_param params[] = {
    [PARAM_LENGTH] = {.name = "length",
                      .unit = "nodes",
                      .help = "nodes of a group",
                      .kind = HM_PARAM_COUNT,
                      .initial = 100,
                      .min = 1,
                      .max = 1000000},
    [PARAM_PAYLOAD] = {.name = "payload",
                       .unit = "",
                       .help = "bytes that each group carries",
                       .kind = HM_PARAM_CHOICE,
                       .initial = 0,
                       .choices = "0|10000|100000|300000"},
    [PARAM_LIVE] = {.name = "live",
                    .unit = "nodes",
                    .help = "nodes that are held; at least one group",
                    .kind = HM_PARAM_COUNT,
                    .initial = 10000,
                    .min = 1,
                    .max = 10000000},
    [PARAM_CYCLIC] = {.name = "cyclic",
                      .unit = "percent",
                      .help = "of the groups that are closed into a cycle",
                      .kind = HM_PARAM_COUNT,
                      .initial = 100,
                      .min = 0,
                      .max = 100},
    {.name = NULL},
};

enum {
    TRASH_MAX,
    TRASH_SLOPE,
};

static const struct hm_figure figures[] = {
    [TRASH_MAX] = {.name = "trash_max_objects",
                   .unit = "objects",
                   .help =
                       "most nodes that were dropped and not yet finalized, at the end of a unit",
                   .better = HM_FIGURE_LOWER_IS_BETTER,
                   .over_threads = HM_FIGURE_SUM},
    [TRASH_SLOPE] = {.name = "trash_slope",
                     .unit = "objects/object",
                     .help = "growth of the trash for each node that is made: 0 where it is stable",
                     .better = HM_FIGURE_LOWER_IS_BETTER,
                     .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

/* What finalizers write to, on whichever thread they run: it outlives the thread's part of the run. */
struct lane {
    uint64_t gone; /* atomic: groups that have died */
    char apart[128 - sizeof(uint64_t)];
};

struct witness {
    struct lane *lane;
};

static void add_death(struct lane *lane) {
    __atomic_fetch_add(&lane->gone, 1, __ATOMIC_RELAXED);
}

static uint64_t count_deaths(const struct lane *lane) {
    return __atomic_load_n(&lane->gone, __ATOMIC_RELAXED);
}

static void finalize(struct hm_mutator *m, struct hm_object *witness) {
    (void)m;
    add_death(((struct witness *)hm_payload(witness))->lane);
}

static const struct hm_type held_type = {.name = "held", .variable = true};
static const struct hm_type node_type = {.name = "node", .slots = 2};

#define WITNESS_TYPE(bytes)                                                                        \
    {                                                                                              \
        .name = "witness-" #bytes, .payload_bytes = sizeof(struct witness) + (bytes),              \
        .finalize = finalize                                                                       \
    }
/* In the order of the choices of `payload`: a type must outlive the collector, not just the run. */
static const struct hm_type witness_types[] = {WITNESS_TYPE(0), WITNESS_TYPE(10000),
                                               WITNESS_TYPE(100000), WITNESS_TYPE(300000)};

struct point {
    double made, trash; /* nodes */
};

struct cyclic {
    struct hm_object *held; /* root */
    struct lane *lane;
    uint64_t made;  /* groups */
    uint64_t most;  /* nodes of trash, since measure() was called last */
    uint64_t falls; /* of the trash, since then: collections that found some */
    uint64_t trash; /* nodes, after the last unit */
    /* Since then, a point for every `stride` units: every second one goes when there is no room. */
    uint64_t units, stride, points_used;
    struct point points[POINTS];
    bool closed[SCRIPT];
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_LENGTH].number;
}

static bool is_closed(const struct cyclic *cyclic, uint64_t group) {
    return cyclic->closed[group % SCRIPT];
}

/* ---- Groups ---- */

/* The objects of a group that nobody will look at again; it may be incomplete. NULL is allowed. */
static void dispose(struct hm_mutator *m, struct hm_object *first) {
    if (!HM_DISPOSES || !first)
        return;
    if (hm_load(first, WITNESS))
        hm_dispose(m, hm_load(first, WITNESS));
    for (struct hm_object *node = first, *next; node; node = next == first ? NULL : next) {
        next = hm_load(node, NEXT);
        hm_dispose(m, node);
    }
}

/* Make a chain from its end, which is *last, and held by the chain.
 * @return the first node, owned by the caller; NULL: out of memory, and nothing is held */
static struct hm_object *make_chain(struct hm_mutator *m, uint64_t length,
                                    struct hm_object **last) {
    struct hm_object *first = NULL;
    hm_root(m, &first);
    for (uint64_t i = 0; i < length; i++) {
        hm_safepoint(m);
        struct hm_object *node = hm_new(m, &node_type);
        if (!node) {
            dispose(m, first);
            hm_drop(m, &first);
            break;
        }
        if (first)
            hm_init_store(m, node, NEXT, first);
        else
            *last = node;
        first = node;
    }
    hm_unroot(m, 1);
    return first;
}

/* The witness comes last, and then the link that closes the chain: what is given up half-made dies of its
 * counts, and is not counted.
 * @return the group, owned by the caller; NULL: out of memory, and nothing is held */
static struct hm_object *make_group(struct hm_run *run, struct lane *lane, bool closed) {
    struct hm_mutator *m = run->mutator;
    struct hm_object *last = NULL;
    struct hm_object *witness = NULL;
    struct hm_object *group = make_chain(m, (uint64_t)run->params[PARAM_LENGTH].number, &last);
    if (!group)
        return NULL;
    hm_root(m, &group);
    witness = hm_new(m, &witness_types[run->params[PARAM_PAYLOAD].number]);
    if (witness) {
        ((struct witness *)hm_payload(witness))->lane = lane;
        hm_adopt(m, group, WITNESS, witness);
        if (closed)
            hm_store(m, last, NEXT, group);
    } else {
        dispose(m, group);
        hm_drop(m, &group);
    }
    hm_unroot(m, 1);
    return group;
}

static uint64_t groups_held(const struct cyclic *cyclic) {
    uint64_t places = hm_length(cyclic->held);
    return cyclic->made < places ? cyclic->made : places;
}

/* @return false: out of memory, and nothing has changed */
static bool replace_oldest(struct hm_run *run, struct cyclic *cyclic) {
    struct hm_mutator *m = run->mutator;
    struct hm_object *group = make_group(run, cyclic->lane, is_closed(cyclic, cyclic->made));
    if (!group)
        return false;
    uint32_t slot = (uint32_t)(cyclic->made++ % hm_length(cyclic->held));
    struct hm_object *oldest = hm_load(cyclic->held, slot);
    dispose(m, oldest);
    if (HM_DISPOSES && oldest)
        add_death(cyclic->lane);
    hm_adopt(m, cyclic->held, slot, group);
    return true;
}

/* ---- The trash ---- */

/* @return nodes */
static inline uint64_t count_trash(const struct hm_run *run, const struct cyclic *cyclic) {
    return (cyclic->made - groups_held(cyclic) - count_deaths(cyclic->lane)) *
           (uint64_t)run->params[PARAM_LENGTH].number;
}

static void forget_points(struct cyclic *cyclic) {
    cyclic->most = cyclic->falls = cyclic->units = cyclic->points_used = 0;
    cyclic->stride = 1;
}

static void thin_points(struct cyclic *cyclic) {
    cyclic->points_used /= 2;
    cyclic->stride *= 2;
    for (uint64_t i = 0; i < cyclic->points_used; i++)
        cyclic->points[i] = cyclic->points[2 * i + 1];
}

static inline void note_trash(struct hm_run *run, struct cyclic *cyclic) {
    uint64_t trash = count_trash(run, cyclic);
    cyclic->most = trash > cyclic->most ? trash : cyclic->most;
    cyclic->falls += trash < cyclic->trash;
    cyclic->trash = trash;
    if (++cyclic->units % cyclic->stride)
        return;
    double made = (double)cyclic->units * (double)run->params[PARAM_LENGTH].number;
    cyclic->points[cyclic->points_used++] = (struct point){made, (double)trash};
    if (cyclic->points_used == POINTS)
        thin_points(cyclic);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* @param slopes room for those between any two points @return the median; NAN: there are none */
static double find_slope(const struct cyclic *cyclic, double *slopes) {
    size_t count = 0;
    for (size_t i = 0; i < cyclic->points_used; i++)
        for (size_t j = i + 1; j < cyclic->points_used; j++) {
            const struct point *a = &cyclic->points[i];
            const struct point *b = &cyclic->points[j];
            slopes[count++] = (b->trash - a->trash) / (b->made - a->made);
        }
    qsort(slopes, count, sizeof *slopes, compare);
    return count ? (slopes[(count - 1) / 2] + slopes[count / 2]) / 2 : NAN;
}

static bool counts_deaths(void) {
#ifdef HM_NEVER_FINALIZES
    return HM_DISPOSES;
#else
    return true;
#endif
}

/* Between two collections that find some, the trash grows by all that is dropped. */
static bool is_long_enough(const struct hm_run *run, const struct cyclic *cyclic) {
    uint64_t made = cyclic->units * (uint64_t)run->params[PARAM_LENGTH].number;
    return cyclic->most == 0 || cyclic->falls >= FALLS ||
           made >= TIMES_LIVE * (uint64_t)run->params[PARAM_LIVE].number;
}

static void tell_figures(const struct hm_run *run, double *values) {
    const struct cyclic *cyclic = run->state;
    const size_t bytes = POINTS * (POINTS - 1) / 2 * sizeof(double);
    double *slopes = hm_scratch(bytes);
    values[TRASH_MAX] = (double)cyclic->most;
    if (slopes && is_long_enough(run, cyclic))
        values[TRASH_SLOPE] = find_slope(cyclic, slopes);
    hm_scratch_free(slopes, bytes);
}

static void measure(struct hm_run *run, double *values) {
    struct cyclic *cyclic = run->state;
    if (counts_deaths() && cyclic->units)
        tell_figures(run, values);
    forget_points(cyclic);
}

/* ---- The work ---- */

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct cyclic *cyclic = run->state;
    for (uint64_t done = 0; done < units; done++) {
        if (!replace_oldest(run, cyclic))
            return done;
        note_trash(run, cyclic);
        run->checksum = run->checksum * 31 + cyclic->made + is_closed(cyclic, cyclic->made - 1);
    }
    return units;
}

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct cyclic *cyclic = run->state;
    for (uint32_t i = 0; HM_DISPOSES && cyclic->held && i < hm_length(cyclic->held); i++)
        dispose(m, hm_load(cyclic->held, i));
    if (cyclic->held)
        hm_dispose(m, cyclic->held);
    hm_drop(m, &cyclic->held);
    hm_unroot(m, 1);
    hm_scratch_free(cyclic, sizeof *cyclic);
    run->state = NULL;
}

static void draw_script(const struct hm_run *run, struct cyclic *cyclic) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < SCRIPT; i++)
        cyclic->closed[i] =
            hm_random_below(&random, 100) < (uint64_t)run->params[PARAM_CYCLIC].number;
}

static bool fill(struct hm_run *run, struct cyclic *cyclic) {
    uint32_t groups = (uint32_t)(run->params[PARAM_LIVE].number / run->params[PARAM_LENGTH].number);
    cyclic->held = hm_new_array(run->mutator, &held_type, groups ? groups : 1);
    while (cyclic->held && cyclic->made < hm_length(cyclic->held))
        if (!replace_oldest(run, cyclic))
            return false;
    return cyclic->held;
}

static int setup(struct hm_run *run) {
    struct cyclic *cyclic = run->state = hm_scratch(sizeof *cyclic);
    if (!cyclic)
        return ENOMEM;
    cyclic->lane = (struct lane *)run->shared + run->thread;
    cyclic->lane->gone = 0;
    draw_script(run, cyclic);
    forget_points(cyclic);
    hm_root(run->mutator, &cyclic->held);
    if (fill(run, cyclic))
        return 0;
    teardown(run);
    return ENOMEM;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return threads * sizeof(struct lane);
}

/* @return nodes on the way to the end, or round; 0: the way ends otherwise than it should */
static uint64_t walk(struct hm_object *first, bool closed, uint64_t length) {
    uint64_t nodes = 1;
    struct hm_object *node = first;
    for (struct hm_object *next; (next = hm_load(node, NEXT)) && next != first; node = next)
        if (nodes++ == length)
            return 0;
    return (hm_load(node, NEXT) == first) == closed ? nodes : 0;
}

static const char *verify(struct hm_run *run) {
    const struct cyclic *cyclic = run->state;
    uint32_t groups = hm_length(cyclic->held);
    uint64_t length = (uint64_t)run->params[PARAM_LENGTH].number;
    if (count_deaths(cyclic->lane) > cyclic->made - groups)
        return "a group has died that is held";
    for (uint64_t group = cyclic->made - groups; group < cyclic->made; group++) {
        struct hm_object *first = hm_load(cyclic->held, (uint32_t)(group % groups));
        if (!first || walk(first, is_closed(cyclic, group), length) != length)
            return "a group is not as it was made";
        const struct witness *witness = hm_payload(hm_load(first, WITNESS));
        if (witness->lane != cyclic->lane)
            return "the witness of a group is not its own";
    }
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct cyclic *cyclic = run->state;
    return 1 + groups_held(cyclic) * ((uint64_t)run->params[PARAM_LENGTH].number + 1);
}

static const struct hm_workload cyclic = {
    HM_WORKLOAD_VARIANT,
    .name = "cyclic",
    .summary = "make groups of linked nodes, most of them cyclic, and drop the oldest",
    .stresses = "whether cyclic garbage stays bounded, counted by finalizers",
    .origin =
        "cyclotron by Schemenauer: cycles of 10, 100, 1000, payloads up to 300000 bytes, 100 to "
        "30000 live",
    .op = "node allocated",
    .params = params,
    .figures = figures,
    .measure = measure,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, cyclic);
