/* Boxed integers: what it saves to keep one object for each small one, instead of making it anew.
 *
 * An operation puts the next integer of a script into its slot of a table, in the place of the one that
 * was there. The script is drawn before the clock: `small` percent of the integers are in -5 .. 256.
 * With `cache=on` there is one object for each of these, made in setup, immortal, and shared. Whatever
 * the parameters are, the values are the same, and so is the checksum. */
#include "workloads/values.h"

enum {
    PARAM_CACHE,
    PARAM_FREELIST,
    PARAM_SMALL,
    PARAM_HELD,
};

/* The number of an integer is its distance from CACHE_MIN. */
enum {
    CACHE_MIN = -5,
    CACHE_MAX = 256,
    CACHED = CACHE_MAX - CACHE_MIN + 1,
    LARGE_MAX = 1 << 30,
};

static const struct hm_param params[] = {
    [PARAM_CACHE] = {.name = "cache",
                     .unit = "",
                     .help = "whether one object is shared for each integer in -5 .. 256",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 0,
                     .choices = "off|on"},
    [PARAM_FREELIST] = HM_FREELIST_PARAM,
    [PARAM_SMALL] = {.name = "small",
                     .unit = "percent",
                     .help = "of the integers that are in -5 .. 256; the others are above, to 2^30",
                     .kind = HM_PARAM_COUNT,
                     .initial = 80,
                     .min = 0,
                     .max = 100},
    [PARAM_HELD] = {.name = "held",
                    .unit = "values",
                    .help = "slots of the table",
                    .kind = HM_PARAM_COUNT,
                    .initial = 1000,
                    .min = 1,
                    .max = 1000000},
    {.name = NULL},
};

/* In the order of the choices of `freelist`. */
static const struct hm_type int_types[] = {
    {.name = "int", .payload_bytes = sizeof(int64_t)},
    {.name = "kept int", .payload_bytes = sizeof(int64_t), HM_FREELIST(1)},
};

/* NULL: out of memory */
static inline struct hm_object *make_int(struct hm_mutator *m, const struct hm_type *type,
                                         uint32_t number) {
    struct hm_object *object = hm_new(m, type);
    if (object)
        *(int64_t *)hm_payload(object) = (int64_t)number + CACHE_MIN;
    return object;
}

static struct hm_object *make_shared(struct hm_mutator *m, struct hm_table *table,
                                     uint32_t number) {
    (void)table;
    return make_int(m, &int_types[0], number);
}

static bool is_number(const struct hm_table *table, struct hm_object *object, uint32_t number) {
    (void)table;
    return *(int64_t *)hm_payload(object) == (int64_t)number + CACHE_MIN;
}

/* ---- Setting up ---- */

static void draw_script(const struct hm_run *run, struct hm_table *table) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < HM_TABLE_SCRIPT; i++) {
        bool small = hm_random_below(&random, 100) < (uint64_t)run->params[PARAM_SMALL].number;
        uint64_t number = hm_random_below(&random, small ? CACHED : LARGE_MAX - CACHE_MAX);
        uint64_t slot = hm_random_below(&random, (uint64_t)run->params[PARAM_HELD].number);
        table->script[i] = (struct hm_table_draw){.number = (uint32_t)number + (small ? 0 : CACHED),
                                                  .slot = (uint32_t)slot};
    }
}

static void teardown(struct hm_run *run) {
    hm_table_free(run->mutator, run->state);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    uint32_t held = (uint32_t)run->params[PARAM_HELD].number;
    struct hm_table *table = run->state = hm_table_new(held, 0);
    if (!table)
        return ENOMEM;
    draw_script(run, table);
    hm_root(m, &table->slots);
    hm_root(m, &table->shared);
    table->slots = hm_new_array(m, &hm_table_type, held);
    bool enough = table->slots;
    if (enough && run->params[PARAM_CACHE].number)
        enough = hm_table_share(m, table, CACHED, make_shared);
    if (!enough)
        teardown(run);
    return enough ? 0 : ENOMEM;
}

/* ---- Running ---- */

/* Always inlined with a constant type, so that each choice of `freelist` has code of its own. */
static inline __attribute__((always_inline)) uint64_t run_with(struct hm_run *run, uint64_t units,
                                                               const struct hm_type *type) {
    struct hm_mutator *m = run->mutator;
    struct hm_table *table = run->state;
    for (uint64_t done = 0; done < units; done++) {
        struct hm_table_draw draw = hm_table_next(table);
        struct hm_object *own = NULL;
        hm_safepoint(m);
        if (!hm_table_is_shared(table, draw.number) && !(own = make_int(m, type, draw.number)))
            return done;
        hm_table_put(m, table, draw, own);
        table->at++;
        uint64_t value = *(uint64_t *)hm_payload(hm_load(table->slots, draw.slot));
        run->checksum = run->checksum * 31 + value;
    }
    return units;
}

__attribute__((noinline)) static uint64_t run_plain(struct hm_run *run, uint64_t units) {
    return run_with(run, units, &int_types[0]);
}

__attribute__((noinline)) static uint64_t run_kept(struct hm_run *run, uint64_t units) {
    return run_with(run, units, &int_types[1]);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    return run->params[PARAM_FREELIST].number ? run_kept(run, units) : run_plain(run, units);
}

static const char *verify(struct hm_run *run) {
    return hm_table_verify(run->state, is_number);
}

static uint64_t live_objects(const struct hm_run *run) {
    return hm_table_live(run->state);
}

static const struct hm_workload smallints = {
    HM_WORKLOAD_VARIANT,
    .name = "smallints",
    .summary = "put boxed integers into a table, in the place of older ones",
    .stresses = "allocation of the smallest objects, and what a cache of small integers saves",
    .origin = "the small integers of CPython 3.11, -5 .. 256; the draws are ours",
    .op = "integer put into the table",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, smallints);
