/* A long chain dies: the last reference to its head goes, and all that hangs on it must follow, on
 * whatever stack there is.
 *
 * A unit makes a chain, drops it, and collects, so that it dies in every way: of its counts, or by a
 * collection. `made` says where a new link goes: before the others, so that the newest dies first, or behind
 * them, so that the oldest does. (graph:what=free times the death alone.) */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_LINKS,
    PARAM_MADE,
    PARAM_FREELIST,
};

enum made {
    MADE_FRONT,
    MADE_BACK,
};

static const struct hm_param params[] = {
    [PARAM_LINKS] = {.name = "links",
                     .unit = "objects",
                     .help = "of the chain",
                     .kind = HM_PARAM_COUNT,
                     .initial = 100000,
                     .min = 1,
                     .max = 100000000},
    [PARAM_MADE] = {.name = "made",
                    .unit = "",
                    .help = "where a new link goes: front (the newest dies first) or back",
                    .kind = HM_PARAM_CHOICE,
                    .initial = MADE_FRONT,
                    .choices = "front|back"},
    [PARAM_FREELIST] = HM_FREELIST_PARAM,
    {.name = NULL},
};

/* In the order of the choices of `freelist`. */
static const struct hm_type link_types[] = {
    {.name = "link", .slots = 1, .payload_bytes = sizeof(uint64_t)},
    {.name = "kept link", .slots = 1, .payload_bytes = sizeof(uint64_t), HM_FREELIST(1)},
};

struct deep {
    struct hm_object *first; /* root; NULL between two units */
};

static uint64_t links_of(const struct hm_value *values) {
    return (uint64_t)values[PARAM_LINKS].number;
}

static inline uint64_t *number_of(struct hm_object *link) {
    return hm_payload(link);
}

/* Give up the chain. */
static void drop(struct hm_mutator *m, struct deep *deep) {
    struct hm_object *at = HM_DISPOSES ? deep->first : NULL;
    while (at) {
        struct hm_object *link = at;
        at = hm_load(link, 0);
        hm_dispose(m, link);
    }
    hm_drop(m, &deep->first);
}

/* @return the link that comes behind `last`, which the chain holds; NULL: out of memory */
static struct hm_object *add(struct hm_run *run, struct hm_object *last) {
    struct deep *deep = run->state;
    struct hm_mutator *m = run->mutator;
    hm_safepoint(m);
    struct hm_object *link = hm_new(m, &link_types[run->params[PARAM_FREELIST].number]);
    if (!link)
        return NULL;
    if (run->params[PARAM_MADE].number == MADE_BACK && last) {
        hm_adopt(m, last, 0, link);
    } else {
        hm_init_store(m, link, 0, deep->first);
        deep->first = link;
    }
    return link;
}

/* @return false: out of memory, and nothing is held */
static bool make_chain(struct hm_run *run) {
    struct deep *deep = run->state;
    struct hm_object *last = NULL;
    for (uint64_t i = 0; i < links_of(run->params); i++) {
        last = add(run, last);
        if (!last) {
            drop(run->mutator, deep);
            return false;
        }
        *number_of(last) = i;
    }
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++) {
        if (!make_chain(run))
            return done;
        drop(run->mutator, run->state);
        hm_collect(run->mutator, 2);
        run->checksum = run->checksum * 31 + links_of(run->params);
    }
    return units;
}

static int setup(struct hm_run *run) {
    struct deep *deep = run->state = hm_scratch(sizeof *deep);
    if (!deep)
        return ENOMEM;
    hm_root(run->mutator, &deep->first);
    return 0;
}

static void teardown(struct hm_run *run) {
    hm_unroot(run->mutator, 1);
    hm_scratch_free(run->state, sizeof(struct deep));
    run->state = NULL;
}

/* One more chain must be whole after a collection. */
static const char *verify(struct hm_run *run) {
    struct deep *deep = run->state;
    uint64_t links = links_of(run->params);
    bool front = run->params[PARAM_MADE].number == MADE_FRONT;
    uint64_t at = 0;
    if (!make_chain(run))
        return "memory ran out in the chain for verification";
    hm_collect(run->mutator, 2);
    struct hm_object *link = deep->first;
    for (; link && *number_of(link) == (front ? links - 1 - at : at); at++)
        link = hm_load(link, 0);
    drop(run->mutator, deep);
    hm_collect(run->mutator, 2);
    return link || at != links ? "the chain is not as it was made" : NULL;
}

static const struct hm_workload deep = {
    HM_WORKLOAD_VARIANT,
    .name = "deep",
    .summary = "make a long chain, and let it die of its counts or by a collection",
    .stresses = "the death of what is nested deeply: no recursion, and one miss after another",
    .origin = "the chains that CPython's trashcan is there for; lengths ours",
    .op = "link of the chain",
    .params = params,
    .ops_per_unit = links_of,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, deep);
