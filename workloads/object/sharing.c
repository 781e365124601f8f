/* Threads that look at the same objects: what it costs that each counts its references to them.
 *
 * There is a set of shared objects, made by thread 0 and never changed, and each thread has a table of
 * private ones. An operation takes a reference to an object, reads it, and gives the reference up; in
 * `share` percent of the operations the object is of the set. With `skew=zipf` the k-th object of
 * the set comes up as often as 1/k says, so that all threads want the same few. In `fresh` percent of the
 * operations a private object is replaced by a new one, and dies. In `hand` percent an object is made for
 * the next thread: it is put into a mailbox, and one is taken out of the previous thread's mailbox and
 * given up, so that it dies on another thread than made it.
 *
 * A mailbox is an array of references, with a lock for each slot. Nobody waits: who finds a slot locked
 * goes on, and what was not taken is replaced, and dies where it was made. How many objects are taken so
 * depends on the threads' pace; what a thread reads for its checksum does not.
 *
 * Where each thread has a collector of its own (--threading isolated), it has a set of its own, too, of the
 * same values, and hands objects to itself. So the operations are the same, and so is the checksum. */
#include "workloads/objects.h"
#include "workloads/scratch.h"
#include "workloads/zipf.h"

#include <errno.h>

enum {
    PARAM_SHARE,
    PARAM_SHARED,
    PARAM_SKEW,
    PARAM_IMMORTAL,
    PARAM_PRIVATE,
    PARAM_FRESH,
    PARAM_HAND,
};

enum skew {
    SKEW_UNIFORM,
    SKEW_ZIPF,
};

enum {
    SCRIPT = 1 << 16, /* draws; the script starts again behind its end */
    MAILBOX = 64,     /* slots */
    LINE = 128,       /* bytes apart: two cache lines, which are fetched together */
};

static const struct hm_param params[] = {
    [PARAM_SHARE] = {.name = "share",
                     .unit = "percent",
                     .help = "of the operations that look at a shared object",
                     .kind = HM_PARAM_COUNT,
                     .initial = 50,
                     .min = 0,
                     .max = 100},
    [PARAM_SHARED] = {.name = "shared",
                      .unit = "objects",
                      .help = "objects that all threads look at",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1000,
                      .min = 1,
                      .max = 1000000},
    [PARAM_SKEW] = {.name = "skew",
                    .unit = "",
                    .help =
                        "how often each shared object is looked at: equally, or the k-th 1/k times",
                    .kind = HM_PARAM_CHOICE,
                    .initial = SKEW_ZIPF,
                    .choices = "uniform|zipf"},
    [PARAM_IMMORTAL] = {.name = "immortal",
                        .unit = "",
                        .help = "whether the shared objects are immortal",
                        .kind = HM_PARAM_CHOICE,
                        .initial = 0,
                        .choices = "off|on"},
    [PARAM_PRIVATE] = {.name = "private",
                       .unit = "objects",
                       .help = "objects that only one thread looks at, for each thread",
                       .kind = HM_PARAM_COUNT,
                       .initial = 1000,
                       .min = 1,
                       .max = 1000000},
    [PARAM_FRESH] = {.name = "fresh",
                     .unit = "percent",
                     .help = "of the operations that replace a private object by a new one",
                     .kind = HM_PARAM_COUNT,
                     .initial = 20,
                     .min = 0,
                     .max = 100},
    [PARAM_HAND] = {.name = "hand",
                    .unit = "percent",
                    .help = "of the operations that hand an object over to the next thread",
                    .kind = HM_PARAM_COUNT,
                    .initial = 5,
                    .min = 0,
                    .max = 100},
    {.name = NULL},
};

struct item {
    uint64_t value;
    uint64_t check; /* hm_mix() of it */
};

static const struct hm_type array_type = {.name = "array", .variable = true};
static const struct hm_type item_type = {.name = "item", .payload_bytes = sizeof(struct item)};

/* What others may see of a thread: its mailbox, which the next thread takes from; and the set, if it
 * has made one. */
struct lane {
    struct hm_object *set, *mailbox;
    char apart[LINE - 2 * sizeof(struct hm_object *)];
    struct {
        uint32_t locked; /* atomic */
        char apart[LINE - sizeof(uint32_t)];
    } slots[MAILBOX];
};

struct draw {
    uint32_t looked_at; /* index into the set or the table */
    uint32_t replaced;  /* index into the table */
    bool shared, fresh, hand;
};

struct state {
    struct hm_object *table;     /* root */
    struct lane *own, *from;     /* whose mailbox we put into, and take from */
    const struct lane *with_set; /* whose set we look at */
    uint64_t at;                 /* operations that were done */
    uint64_t sent;               /* objects that were made for the next thread */
    uint64_t received;           /* objects that were taken from the previous one */
    bool broken;                 /* one of these was not as it was made */
    size_t bytes;                /* of this structure with what is behind it */
    uint64_t *values;            /* of what is in the table, for verify */
    struct draw script[SCRIPT];
};

/* ---- The script ---- */

static bool draw_percent(struct hm_random *random, const struct hm_value *percent) {
    return hm_random_below(random, 100) < (uint64_t)percent->number;
}

/* @return false: out of memory */
static bool draw_script(const struct hm_run *run, struct state *s) {
    const struct hm_value *values = run->params;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t shared = (uint32_t)values[PARAM_SHARED].number;
    uint64_t privates = (uint64_t)values[PARAM_PRIVATE].number;
    uint64_t *sums = hm_scratch(shared * sizeof *sums);
    if (!sums)
        return false;
    for (uint32_t i = 0; i < shared; i++)
        sums[i] = (i ? sums[i - 1] : 0) +
                  (UINT64_C(1) << 40) / (values[PARAM_SKEW].number == SKEW_ZIPF ? i + 1 : 1);
    for (size_t i = 0; i < SCRIPT; i++) {
        struct draw *draw = &s->script[i];
        draw->shared = draw_percent(&random, &values[PARAM_SHARE]);
        draw->fresh = draw_percent(&random, &values[PARAM_FRESH]);
        draw->hand = draw_percent(&random, &values[PARAM_HAND]);
        draw->looked_at = draw->shared ? hm_zipf_draw(&random, sums, shared)
                                       : (uint32_t)hm_random_below(&random, privates);
        draw->replaced = (uint32_t)hm_random_below(&random, privates);
    }
    hm_scratch_free(sums, shared * sizeof *sums);
    return true;
}

/* ---- Objects ---- */

/* NULL: out of memory */
static inline struct hm_object *make(struct hm_mutator *m, uint64_t value) {
    struct hm_object *object = hm_new(m, &item_type);
    if (object)
        *(struct item *)hm_payload(object) = (struct item){value, hm_mix(value)};
    return object;
}

static inline const struct item *item_of(struct hm_object *object) {
    return hm_payload(object);
}

static inline uint64_t value_of_shared(uint32_t index) {
    return hm_mix(index + 1u);
}

/* Put a new object, which may be NULL, into an array. */
static inline bool put(struct hm_mutator *m, struct hm_object *array, uint32_t slot,
                       struct hm_object *object) {
    if (!object)
        return false;
    struct hm_object *old = HM_DISPOSES ? hm_load(array, slot) : NULL;
    hm_adopt(m, array, slot, object);
    if (HM_DISPOSES && old)
        hm_dispose(m, old);
    return true;
}

/* ---- Handing over ---- */

/* Acquire and release: what one holder of the lock did to the slot, and to the object in it, comes
 * before what the next one does. */
static inline bool try_lock(struct lane *lane, uint32_t slot) {
    return !__atomic_exchange_n(&lane->slots[slot].locked, 1, __ATOMIC_ACQUIRE);
}

static inline void unlock(struct lane *lane, uint32_t slot) {
    __atomic_store_n(&lane->slots[slot].locked, 0, __ATOMIC_RELEASE);
}

/* @return false: out of memory */
static bool send(struct hm_mutator *m, struct state *s) {
    uint32_t slot = (uint32_t)(s->sent % MAILBOX);
    struct hm_object *object = make(m, s->sent);
    if (!object)
        return false;
    s->sent++;
    if (try_lock(s->own, slot)) {
        put(m, s->own->mailbox, slot, object);
        unlock(s->own, slot);
    } else {
        hm_dispose(m, object);
        hm_release(m, object);
    }
    return true;
}

static void receive(struct hm_mutator *m, struct state *s, uint32_t slot) {
    if (!try_lock(s->from, slot))
        return;
    struct hm_object *object = hm_load(s->from->mailbox, slot);
    hm_retain(m, object);
    if (object)
        hm_store(m, s->from->mailbox, slot, NULL);
    unlock(s->from, slot);
    if (!object)
        return;
    s->received++;
    s->broken |= item_of(object)->check != hm_mix(item_of(object)->value);
    hm_dispose(m, object);
    hm_release(m, object);
}

/* ---- Setting up ---- */

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct state *s = run->state;
    hm_drop_array(m, &s->table);
    hm_drop_array(m, &s->own->mailbox);
    hm_drop_array(m, &s->own->set);
    hm_unroot(m, 3);
    hm_scratch_free(s, s->bytes);
    run->state = NULL;
}

static struct state *new_state(const struct hm_run *run) {
    struct lane *lanes = run->shared;
    size_t bytes =
        sizeof(struct state) + (size_t)run->params[PARAM_PRIVATE].number * sizeof(uint64_t);
    struct state *s = hm_scratch(bytes);
    if (!s)
        return NULL;
    unsigned previous = (run->thread + run->threads - 1) % run->threads;
    s->bytes = bytes;
    s->values = (uint64_t *)(void *)(s + 1);
    s->own = &lanes[run->thread];
    s->from = &lanes[run->together ? previous : run->thread];
    s->with_set = &lanes[run->together ? 0 : run->thread];
    return s;
}

static bool fill_set(const struct hm_run *run, struct hm_object **set) {
    struct hm_mutator *m = run->mutator;
    uint32_t shared = (uint32_t)run->params[PARAM_SHARED].number;
    *set = hm_new_array(m, &array_type, shared);
    for (uint32_t i = 0; *set && i < shared; i++) {
        struct hm_object *object = make(m, value_of_shared(i));
        if (!put(m, *set, i, object))
            return false;
        if (run->params[PARAM_IMMORTAL].number && !hm_immortalize(m, object))
            return false;
    }
    return *set;
}

static bool fill_table(const struct hm_run *run, struct state *s) {
    struct hm_mutator *m = run->mutator;
    uint32_t privates = (uint32_t)run->params[PARAM_PRIVATE].number;
    s->table = hm_new_array(m, &array_type, privates);
    for (uint32_t i = 0; s->table && i < privates; i++)
        if (!put(m, s->table, i, make(m, s->values[i] = hm_mix(~(uint64_t)i))))
            return false;
    return s->table;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct state *s = run->state = new_state(run);
    if (!s)
        return ENOMEM;
    hm_root(m, &s->table);
    hm_root(m, &s->own->mailbox);
    hm_root(m, &s->own->set);
    bool enough = draw_script(run, s) && fill_table(run, s);
    if (enough && s->with_set == s->own)
        enough = fill_set(run, &s->own->set);
    if (enough)
        enough = (s->own->mailbox = hm_new_array(m, &array_type, MAILBOX));
    if (!enough)
        teardown(run);
    return enough ? 0 : ENOMEM;
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return threads * sizeof(struct lane);
}

/* ---- Running ---- */

static inline bool replace(struct hm_mutator *m, struct state *s, uint32_t index) {
    uint64_t value = hm_mix(s->at);
    if (!put(m, s->table, index, make(m, value)))
        return false;
    s->values[index] = value;
    return true;
}

/* @return false: out of memory */
static inline bool play(struct hm_run *run, struct state *s, const struct draw *draw) {
    struct hm_mutator *m = run->mutator;
    hm_safepoint(m);
    struct hm_object *array = draw->shared ? s->with_set->set : s->table;
    struct hm_object *object = hm_load(array, draw->looked_at);
    hm_retain(m, object);
    run->checksum = run->checksum * 31 + item_of(object)->value;
    hm_release(m, object);
    if (draw->fresh && !replace(m, s, draw->replaced))
        return false;
    if (!draw->hand)
        return true;
    receive(m, s, (uint32_t)(s->sent % MAILBOX));
    return send(m, s);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct state *s = run->state;
    for (uint64_t done = 0; done < units; done++) {
        if (!play(run, s, &s->script[s->at % SCRIPT]))
            return done;
        s->at++;
    }
    return units;
}

static const char *verify(struct hm_run *run) {
    struct state *s = run->state;
    struct hm_object *set = s->with_set->set;
    for (uint32_t i = 0; i < hm_length(s->table); i++)
        if (item_of(hm_load(s->table, i))->value != s->values[i])
            return "a private object is not the one that was put into its slot";
    for (uint32_t i = 0; i < hm_length(set); i++)
        if (item_of(hm_load(set, i))->value != value_of_shared(i))
            return "a shared object has changed";
    return s->broken ? "an object that was handed over is not as it was made" : NULL;
}

/* The set is counted for the thread that has made it. */
static uint64_t live_objects(const struct hm_run *run) {
    const struct state *s = run->state;
    uint64_t live = 2u + hm_length(s->table);
    for (uint32_t i = 0; i < MAILBOX; i++)
        live += hm_load(s->own->mailbox, i) != NULL;
    return live + (s->own->set ? 1u + hm_length(s->own->set) : 0);
}

static const struct hm_workload sharing = {
    HM_WORKLOAD_VARIANT,
    .name = "sharing",
    .summary =
        "take a reference to a shared or private object, read it, give it up; hand some over",
    .stresses =
        "counting references by several threads, and objects that die where others made them",
    .origin = "heapmark; after the uses of biased counting in Choi, Shull and Torrellas 2018",
    .op = "object looked at",
    .params = params,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, sharing);
