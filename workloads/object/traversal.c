/* Lists of references to one another, which a full collection has to follow, every one of them, and
 * finds nothing.
 *
 * List n has n references, all to list n-1; the last list is held. A unit is one full collection. All
 * references of a list lead to the same object, so that this is the cost of a visit, and not of a miss of
 * the cache. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_LISTS,
};

static const struct hm_param params[] = {
    [PARAM_LISTS] = {.name = "lists",
                     .unit = "lists",
                     .help = "lists; the one with number n, counted from 0, has n references",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1000,
                     .min = 2,
                     .max = 10000},
    {.name = NULL},
};

static const struct hm_type list_type = {.name = "list", .variable = true};

struct traversal {
    struct hm_object *last; /* root */
    bool found;             /* a collection has found garbage, and there was none */
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    uint64_t lists = (uint64_t)values[PARAM_LISTS].number;
    return lists * (lists - 1) / 2;
}

static unsigned needs(const struct hm_value *values) {
    (void)values;
    return HM_GC_ON_DEMAND;
}

/* All lists: nobody will look at them again. NULL is allowed. */
static void dispose(struct hm_mutator *m, struct hm_object *list) {
    while (HM_DISPOSES && list) {
        struct hm_object *older = hm_length(list) ? hm_load(list, 0) : NULL;
        hm_dispose(m, list);
        list = older;
    }
}

static void teardown(struct hm_run *run) {
    struct traversal *traversal = run->state;
    dispose(run->mutator, traversal->last);
    hm_drop(run->mutator, &traversal->last);
    hm_unroot(run->mutator, 1);
    hm_scratch_free(traversal, sizeof *traversal);
    run->state = NULL;
}

/* Make a list of references to the last one, in whose place it is held.
 * @return false: out of memory */
static bool add_list(struct hm_mutator *m, struct traversal *traversal, uint32_t length) {
    hm_safepoint(m);
    struct hm_object *list = hm_new_array(m, &list_type, length);
    if (!list)
        return false;
    for (uint32_t i = 0; i < length; i++)
        hm_store(m, list, i, traversal->last);
    hm_release(m, traversal->last);
    traversal->last = list;
    return true;
}

static int setup(struct hm_run *run) {
    struct traversal *traversal = run->state = hm_scratch(sizeof *traversal);
    if (!traversal)
        return ENOMEM;
    hm_root(run->mutator, &traversal->last);
    for (uint32_t i = 0; i < (uint32_t)run->params[PARAM_LISTS].number; i++)
        if (!add_list(run->mutator, traversal, i)) {
            teardown(run);
            return ENOMEM;
        }
    hm_collect(run->mutator, 2);
    return 0;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct traversal *traversal = run->state;
    for (uint64_t done = 0; done < units; done++) {
        hm_safepoint(run->mutator);
        if (hm_collect(run->mutator, 2) > 0 && !run->together)
            traversal->found = true;
        run->checksum = run->checksum * 31 + hm_length(traversal->last);
    }
    return units;
}

static const char *verify(struct hm_run *run) {
    const struct traversal *traversal = run->state;
    struct hm_object *list = traversal->last;
    if (traversal->found)
        return "a collection has found garbage where there is none";
    for (uint32_t n = (uint32_t)run->params[PARAM_LISTS].number; n-- > 0;) {
        if (hm_length(list) != n)
            return "a list has lost references";
        for (uint32_t i = 1; i < n; i++)
            if (hm_load(list, i) != hm_load(list, 0))
                return "two references of a list differ";
        list = n ? hm_load(list, 0) : NULL;
    }
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    return (uint64_t)run->params[PARAM_LISTS].number;
}

static const struct hm_workload traversal = {
    HM_WORKLOAD_VARIANT,
    .name = "traversal",
    .summary = "collect while nothing is garbage: lists full of references to one another",
    .stresses = "the visit of a reference, without misses of the cache",
    .origin = "gc_traversal of pyperformance: 1000 lists, list n with n references to list n-1",
    .op = "reference in the lists",
    .params = params,
    .needs = needs,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, traversal);
