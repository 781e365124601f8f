/* Objects with finalizers of three kinds, linked to each other, die together.
 *
 * Vocabulary
 *   chain         `length` nodes, of the kinds that `kinds` says, one after the other.
 *   simple        its finalizer only looks at its neighbours.
 *   resurrecting  ... and makes the node live again, with all that it reaches.
 *   suicidal      ... and lets go of its neighbours.
 *   survivor      a node that a finalizer has made live again; the program lets go of it afterwards.
 *
 * A unit makes all chains, drops them, and collects; then it lets go of the survivors and collects until
 * there are no more. As `shape=ring` each chain is closed and linked both ways, as in CPython's tests, so
 * that counting alone never frees it; `shape=chain` has links in one direction and an end.
 *
 * Each finalizer must run once for its object, while all its neighbours can still be looked at. On a
 * collector that does not offer finalizers, or does not find rings, none runs; the program is the same.
 * What the figures say is that of the collector, and does not go into the checksum.
 *
 * A finalizer may run on the thread of another mutator, if the collector is shared, and while its own thread
 * goes on: what it needs to know stands in its object, and a lock is held where survivors are put down and
 * taken. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <sched.h>

enum {
    PARAM_CHAINS,
    PARAM_LENGTH,
    PARAM_KINDS,
    PARAM_SHAPE,
};

enum kinds { /* the mixed one is last */
    KINDS_NONE,
    KINDS_SIMPLE,
    KINDS_RESURRECTING,
    KINDS_SUICIDAL,
    KINDS_MIXED,
};

enum shape {
    SHAPE_RING,
    SHAPE_CHAIN,
};

enum {
    LEFT, /* the one before */
    RIGHT,
};

static const struct hm_param params[] = {
    [PARAM_CHAINS] = {.name = "chains",
                      .unit = "chains",
                      .help = "that are dropped together",
                      .kind = HM_PARAM_COUNT,
                      .initial = 100,
                      .min = 1,
                      .max = 1000000},
    [PARAM_LENGTH] = {.name = "length",
                      .unit = "objects",
                      .help = "nodes of a chain",
                      .kind = HM_PARAM_COUNT,
                      .initial = 6,
                      .min = 1,
                      .max = 1000},
    [PARAM_KINDS] =
        {.name = "kinds",
         .unit = "",
         .help = "what the finalizers do; mixed: resurrecting, simple, suicidal, and again; "
                 "none: there are none",
         .kind = HM_PARAM_CHOICE,
         .initial = KINDS_MIXED,
         .choices = "none|simple|resurrecting|suicidal|mixed"},
    [PARAM_SHAPE] = {.name = "shape",
                     .unit = "",
                     .help =
                         "ring: closed, and linked both ways; chain: linked one way, with an end",
                     .kind = HM_PARAM_CHOICE,
                     .initial = SHAPE_RING,
                     .choices = "ring|chain"},
    {.name = NULL},
};

struct finalizers;

struct node {
    struct finalizers *owner;
    struct hm_object *self; /* to know it again */
    uint32_t number;        /* which one of all nodes of a unit */
    uint32_t calls;         /* of its finalizer */
    bool suicided;
};

struct finalizers {
    struct hm_object *chains;    /* root: the first node of each; NULL: no unit is at work */
    struct hm_object *survivors; /* root: a slot for each node of a unit */
    uint64_t made;               /* nodes with a finalizer */
    uint64_t calls;              /* of finalizers; atomic, as the rest is */
    uint64_t resurrected;
    const char *broken; /* what a finalizer has seen that must not be */
    bool locked;        /* somebody is at a survivor */
};

static struct node *node_of(struct hm_object *object) {
    return hm_payload(object);
}

/* ---- Finalizers ---- */

/* Whether a node and its neighbour know each other, as far as they should; the neighbour's memory is
 * looked at, and must be there. */
static bool fits(struct hm_object *object, uint32_t side) {
    struct hm_object *other = hm_load(object, side);
    if (!other)
        return true;
    if (node_of(object)->suicided || node_of(other)->self != other)
        return false;
    struct hm_object *back = hm_load(other, side == LEFT ? RIGHT : LEFT);
    return back ? back == object && !node_of(other)->suicided : true;
}

static void lock(struct finalizers *f) {
    while (__atomic_test_and_set(&f->locked, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void unlock(struct finalizers *f) {
    __atomic_clear(&f->locked, __ATOMIC_RELEASE);
}

static void add_one(uint64_t *count) {
    __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

static void note_broken(struct finalizers *f, const char *what) {
    __atomic_store_n(&f->broken, what, __ATOMIC_RELAXED);
}

/* What all finalizers do first. @return the node */
static struct node *begin_finalizer(struct hm_object *object) {
    struct node *node = node_of(object);
    struct finalizers *owner = node->owner;
    add_one(&owner->calls);
    if (node->self != object)
        note_broken(owner, "a finalizer was called for what is no node");
    else if (++node->calls > 1)
        note_broken(owner, "the finalizer of an object ran twice");
    else if (!fits(object, LEFT) || !fits(object, RIGHT))
        note_broken(owner, "a neighbour was gone before the finalizer ran");
    return node;
}

static void finalize_simple(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    begin_finalizer(object);
}

static void finalize_resurrecting(struct hm_mutator *m, struct hm_object *object) {
    const struct node *node = begin_finalizer(object);
    add_one(&node->owner->resurrected);
    lock(node->owner);
    struct hm_object *before = hm_load(node->owner->survivors, node->number);
    hm_retain(m, before);
    hm_store(m, node->owner->survivors, node->number, object);
    unlock(node->owner);
    hm_release(m, before);
}

static void finalize_suicidal(struct hm_mutator *m, struct hm_object *object) {
    begin_finalizer(object)->suicided = true;
    hm_store(m, object, LEFT, NULL);
    hm_store(m, object, RIGHT, NULL);
}

static const struct hm_type array_type = {.name = "array", .variable = true};

/* In the order of `kinds`. */
static const struct hm_type node_types[] = {
    {.name = "node", .slots = 2, .payload_bytes = sizeof(struct node)},
    {.name = "simple",
     .slots = 2,
     .payload_bytes = sizeof(struct node),
     .finalize = finalize_simple},
    {.name = "resurrecting",
     .slots = 2,
     .payload_bytes = sizeof(struct node),
     .finalize = finalize_resurrecting},
    {.name = "suicidal",
     .slots = 2,
     .payload_bytes = sizeof(struct node),
     .finalize = finalize_suicidal},
};

/* ---- Making chains ---- */

static const struct hm_type *type_of(const struct hm_run *run, uint32_t place) {
    static const enum kinds mixed[] = {KINDS_RESURRECTING, KINDS_SIMPLE, KINDS_SUICIDAL};
    enum kinds kinds = (enum kinds)run->params[PARAM_KINDS].number;
    return &node_types[kinds == KINDS_MIXED ? mixed[place % 3] : kinds];
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_CHAINS].number * (uint64_t)values[PARAM_LENGTH].number;
}

/* @return a node, not linked to any other; NULL: out of memory */
static struct hm_object *make_node(struct hm_run *run, uint32_t chain, uint32_t place) {
    struct finalizers *f = run->state;
    const struct hm_type *type = type_of(run, place);
    hm_safepoint(run->mutator);
    struct hm_object *object = hm_new(run->mutator, type);
    if (!object)
        return NULL;
    uint32_t length = (uint32_t)run->params[PARAM_LENGTH].number;
    *node_of(object) = (struct node){.owner = f, .self = object, .number = chain * length + place};
    f->made += type->finalize != NULL;
    return object;
}

/* Link each node to the last one as soon as it exists, so that the first one holds them all.
 * @return false: out of memory */
static bool make_chain(struct hm_run *run, uint32_t chain) {
    struct finalizers *f = run->state;
    struct hm_mutator *m = run->mutator;
    bool ring = run->params[PARAM_SHAPE].number == SHAPE_RING;
    struct hm_object *last = NULL;
    for (uint32_t i = 0; i < (uint32_t)run->params[PARAM_LENGTH].number; i++) {
        struct hm_object *node = make_node(run, chain, i);
        if (!node)
            return false;
        if (ring && last)
            hm_store(m, node, LEFT, last);
        if (last)
            hm_adopt(m, last, RIGHT, node);
        else
            hm_adopt(m, f->chains, chain, node);
        last = node;
    }
    struct hm_object *first = hm_load(f->chains, chain);
    if (ring) {
        hm_store(m, last, RIGHT, first);
        hm_store(m, first, LEFT, last);
    }
    return true;
}

/* ---- Letting them go ---- */

static void dispose_chains(struct hm_mutator *m, struct hm_object *chains) {
    for (uint32_t i = 0; i < hm_length(chains); i++) {
        struct hm_object *first = hm_load(chains, i);
        for (struct hm_object *next, *at = first; at; at = next == first ? NULL : next) {
            next = hm_load(at, RIGHT);
            hm_dispose(m, at);
        }
    }
    hm_dispose(m, chains);
}

static void drop_chains(struct hm_mutator *m, struct finalizers *f) {
    if (HM_DISPOSES && f->chains)
        dispose_chains(m, f->chains);
    hm_drop(m, &f->chains);
}

/* The one with this number, owned by the caller, or NULL. Nothing dies while the lock is held. */
static struct hm_object *take_survivor(struct hm_mutator *m, struct finalizers *f, uint32_t i) {
    lock(f);
    struct hm_object *object = hm_load(f->survivors, i);
    if (object) {
        hm_retain(m, object);
        hm_store(m, f->survivors, i, NULL);
    }
    unlock(f);
    return object;
}

/* @return whether there were any */
static bool drop_survivors(struct hm_mutator *m, struct finalizers *f) {
    bool any = false;
    for (uint32_t i = 0; i < hm_length(f->survivors); i++) {
        struct hm_object *object = take_survivor(m, f, i);
        any |= object != NULL;
        hm_release(m, object);
    }
    return any;
}

/* Drop all, until no finalizer makes anything live again. */
static void end_unit(struct hm_run *run) {
    struct finalizers *f = run->state;
    drop_chains(run->mutator, f);
    hm_collect(run->mutator, 2);
    while (drop_survivors(run->mutator, f))
        hm_collect(run->mutator, 2);
}

/* @return whether all chains could be made */
static bool make_chains(struct hm_run *run) {
    struct finalizers *f = run->state;
    uint32_t chains = (uint32_t)run->params[PARAM_CHAINS].number;
    bool made = (f->chains = hm_new_array(run->mutator, &array_type, chains)) != NULL;
    for (uint32_t i = 0; made && i < chains; i++)
        made = make_chain(run, i);
    return made;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++) {
        bool made = make_chains(run);
        end_unit(run);
        if (!made)
            return done;
        run->checksum = run->checksum * 31 + ops_per_unit(run->params);
    }
    return units;
}

/* ---- The rest ---- */

static const char *conflict(const struct hm_value *values) {
    return ops_per_unit(values) > HM_LENGTH_MAX ? "chains times length are more than 2^27 - 1 nodes"
                                                : NULL;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct finalizers *f = run->state = hm_scratch(sizeof *f);
    if (!f)
        return ENOMEM;
    hm_root(m, &f->chains);
    hm_root(m, &f->survivors);
    f->survivors = hm_new_array(m, &array_type, (uint32_t)ops_per_unit(run->params));
    if (f->survivors)
        return 0;
    hm_unroot(m, 2);
    hm_scratch_free(f, sizeof *f);
    run->state = NULL;
    return ENOMEM;
}

static void teardown(struct hm_run *run) {
    struct finalizers *f = run->state;
    hm_drop_array(run->mutator, &f->survivors);
    hm_unroot(run->mutator, 2);
    hm_scratch_free(f, sizeof *f);
    run->state = NULL;
}

/* What a collector that finalizes has to do to all, it may do to nobody. */
static const char *verify(struct hm_run *run) {
    struct finalizers *f = run->state;
    if (f->broken)
        return f->broken;
    if (run->threads == 1 && (f->calls > f->made || f->resurrected > f->calls))
        return "more finalizers ran than there are";
    end_unit(run); /* another thread may have made something live again since the last one */
    return NULL;
}

/* All that was made until now has come to its end. */
static void measure(struct hm_run *run, double *values) {
    struct finalizers *f = run->state;
    if (f->made) {
        values[0] = 100.0 * (double)f->calls / (double)f->made;
        values[1] = 100.0 * (double)f->resurrected / (double)f->made;
    }
    f->made = f->calls = f->resurrected = 0;
}

static const struct hm_figure figures[] = {
    {.name = "finalized_percent",
     .unit = "percent",
     .help = "of the objects with a finalizer, those whose finalizer has run",
     .better = HM_FIGURE_NEITHER_IS_BETTER,
     .over_threads = HM_FIGURE_MIN},
    {.name = "resurrected_percent",
     .unit = "percent",
     .help = "of the objects with a finalizer, those that it made live again",
     .better = HM_FIGURE_NEITHER_IS_BETTER,
     .over_threads = HM_FIGURE_MIN},
    {.name = NULL},
};

static uint64_t live_objects(const struct hm_run *run) {
    (void)run;
    return 1;
}

static const struct hm_workload finalizers = {
    HM_WORKLOAD_VARIANT,
    .name = "finalizers",
    .summary = "drop chains of objects whose finalizers look, resurrect, or let go; collect",
    .stresses = "finalizers within cyclic garbage, and finding what they brought back",
    .origin =
        "build_chain([Resurrector, Simple, Suicidal] * 2) of CPython 3.11's test_finalization",
    .op = "node allocated",
    .params = params,
    .figures = figures,
    .measure = measure,
    .ops_per_unit = ops_per_unit,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, finalizers);
