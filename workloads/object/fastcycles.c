/* Doubly linked lists that refer to an old one are made, held for a moment, and dropped: garbage that is
 * cyclic and comes fast, beside a heap so small that a collector with generations may put it off too
 * long.
 *
 * A unit makes `lists` lists, each with `nodes` nodes behind its head, and drops them all. Each head refers
 * to the old list, which stays. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_OLD,
    PARAM_LISTS,
    PARAM_NODES,
};

enum {
    NEXT,
    PREV,
    SURPRISE, /* the head of the old list */
};

static const struct hm_param params[] = {
    [PARAM_OLD] = {.name = "old",
                   .unit = "objects",
                   .help = "nodes of the list that stays, behind its head",
                   .kind = HM_PARAM_COUNT,
                   .initial = 1000,
                   .min = 0,
                   .max = 10000000},
    [PARAM_LISTS] = {.name = "lists",
                     .unit = "lists",
                     .help = "lists that are dropped together",
                     .kind = HM_PARAM_COUNT,
                     .initial = 20,
                     .min = 1,
                     .max = 1000000},
    [PARAM_NODES] = {.name = "nodes",
                     .unit = "objects",
                     .help = "nodes of such a list, behind its head",
                     .kind = HM_PARAM_COUNT,
                     .initial = 20,
                     .min = 0,
                     .max = 1000000},
    {.name = NULL},
};

static const struct hm_type node_type = {.name = "node", .slots = 3};
static const struct hm_type lists_type = {.name = "lists", .variable = true};

struct fastcycles {
    struct hm_object *old;   /* root: the head of the list that stays */
    struct hm_object *lists; /* root: empty between two units */
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)(values[PARAM_LISTS].number * (values[PARAM_NODES].number + 1));
}

/* The nodes of a list that nobody will look at again. NULL is allowed. */
static void dispose(struct hm_mutator *m, struct hm_object *node) {
    for (struct hm_object *next; HM_DISPOSES && node; node = next) {
        next = hm_load(node, NEXT);
        hm_dispose(m, node);
    }
}

/* Make a list of a head and `nodes` nodes, each new node in front.
 * @return the head, owned by the caller, or NULL: out of memory, and nothing is held */
static struct hm_object *make_list(struct hm_mutator *m, uint64_t nodes) {
    hm_safepoint(m);
    struct hm_object *head = hm_new(m, &node_type);
    hm_root(m, &head);
    for (uint64_t i = 0; head && i < nodes; i++) {
        hm_safepoint(m);
        struct hm_object *node = hm_new(m, &node_type);
        if (!node) {
            dispose(m, head);
            hm_drop(m, &head);
            break;
        }
        hm_store(m, head, PREV, node);
        hm_init_store(m, node, NEXT, head);
        head = node;
    }
    hm_unroot(m, 1);
    return head;
}

static void drop_lists(struct hm_mutator *m, struct hm_object *lists) {
    for (uint32_t i = 0; i < hm_length(lists); i++) {
        dispose(m, hm_load(lists, i));
        hm_store(m, lists, i, NULL);
    }
}

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct fastcycles *s = run->state;
    dispose(m, s->old);
    hm_drop(m, &s->old);
    hm_drop_array(m, &s->lists);
    hm_unroot(m, 2);
    hm_scratch_free(s, sizeof *s);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct fastcycles *s = run->state = hm_scratch(sizeof *s);
    if (!s)
        return ENOMEM;
    hm_root(m, &s->old);
    hm_root(m, &s->lists);
    s->lists = hm_new_array(m, &lists_type, (uint32_t)run->params[PARAM_LISTS].number);
    if (s->lists)
        s->old = make_list(m, (uint64_t)run->params[PARAM_OLD].number);
    if (s->old)
        return 0;
    teardown(run);
    return ENOMEM;
}

/* @return false: out of memory; what was made is in the lists */
static bool make_lists(struct hm_run *run, const struct fastcycles *s) {
    struct hm_mutator *m = run->mutator;
    for (uint32_t i = 0; i < hm_length(s->lists); i++) {
        struct hm_object *head = make_list(m, (uint64_t)run->params[PARAM_NODES].number);
        if (!head)
            return false;
        hm_store(m, head, SURPRISE, s->old);
        hm_adopt(m, s->lists, i, head);
    }
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    const struct fastcycles *s = run->state;
    for (uint64_t done = 0; done < units; done++) {
        bool made = make_lists(run, s);
        drop_lists(run->mutator, s->lists);
        if (!made)
            return done;
        run->checksum = run->checksum * 31 + ops_per_unit(run->params);
    }
    return units;
}

/* @return nodes behind the head, or UINT64_MAX when a link back does not fit its link forth */
static uint64_t walk(struct hm_object *head) {
    uint64_t nodes = 0;
    for (struct hm_object *next; (next = hm_load(head, NEXT)); head = next) {
        if (hm_load(next, PREV) != head)
            return UINT64_MAX;
        nodes++;
    }
    return nodes;
}

/* The old list, and a set of new ones. */
static const char *verify(struct hm_run *run) {
    const struct fastcycles *s = run->state;
    if (walk(s->old) != (uint64_t)run->params[PARAM_OLD].number)
        return "the old list is not as it was made";
    const char *broken = make_lists(run, s) ? NULL : "memory ran out in the lists for verification";
    for (uint32_t i = 0; !broken && i < hm_length(s->lists); i++) {
        struct hm_object *head = hm_load(s->lists, i);
        if (walk(head) != (uint64_t)run->params[PARAM_NODES].number ||
            hm_load(head, SURPRISE) != s->old)
            broken = "a new list is not as it was made";
    }
    drop_lists(run->mutator, s->lists);
    return broken;
}

static uint64_t live_objects(const struct hm_run *run) {
    return 2 + (uint64_t)run->params[PARAM_OLD].number;
}

static const struct hm_workload fastcycles = {
    HM_WORKLOAD_VARIANT,
    .name = "fastcycles",
    .summary = "make and drop doubly linked lists that refer to an old one",
    .stresses = "cyclic garbage that comes fast beside a small old heap: whether it stays bounded",
    .origin =
        "_test_gc_fast_cycles.py of CPython: lists of 20 beside one of 1000; there threshold0=200, "
        "and the heap may grow by less than 27000 objects",
    .op = "node allocated",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, fastcycles);
