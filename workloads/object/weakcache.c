/* A cache that holds its values weakly: they live as long as the program uses them, and the cache must
 * not be what keeps them.
 *
 * Vocabulary
 *   cache   for each key, nothing or a weak reference to its value.
 *   used    the values that were asked for last, `used` of them, which the program holds.
 *
 * An operation asks for the value of a key: it is there, or is made and put into the cache. Then it is
 * used, in the place of the one that was used longest ago. The k-th of the keys comes up as often as 1/k
 * says (Zipf). In `cyclic` percent of the values there is a reference to themselves, so that only a
 * collector of cycles frees them. A key whose value has died is deleted by the callback of its weak
 * reference, or, with `delete=lookup` or where no callbacks are offered, when it is asked for again.
 *
 * How often a value is still there depends on when garbage dies, and so does the work: a hit is less of
 * it than a miss. The figure `hit_percent` tells. Keys and answers are the same everywhere.
 *
 * What a callback needs to know stands in the key, which its weak reference holds. Where threads share a
 * collector, it could run on another thread than the one that uses the cache: there, look-ups delete. */
#include "workloads/objects.h"
#include "workloads/scratch.h"
#include "workloads/zipf.h"

#include <errno.h>

enum {
    PARAM_KEYS,
    PARAM_USED,
    PARAM_CYCLIC,
    PARAM_DELETE,
};

enum {
    DELETE_CALLBACK,
    DELETE_LOOKUP,
};

enum {
    SCRIPT = 1 << 15, /* draws; the script starts again behind its end */
};

static const struct hm_param params[] = {
    [PARAM_KEYS] = {.name = "keys",
                    .unit = "keys",
                    .help = "different keys that are asked for",
                    .kind = HM_PARAM_COUNT,
                    .initial = 10000,
                    .min = 1,
                    .max = 1000000},
    [PARAM_USED] = {.name = "used",
                    .unit = "values",
                    .help = "values that the program holds",
                    .kind = HM_PARAM_COUNT,
                    .initial = 1000,
                    .min = 1,
                    .max = 1000000},
    [PARAM_CYCLIC] = {.name = "cyclic",
                      .unit = "percent",
                      .help = "of the values that refer to themselves",
                      .kind = HM_PARAM_COUNT,
                      .initial = 10,
                      .min = 0,
                      .max = 100},
    [PARAM_DELETE] = {.name = "delete",
                      .unit = "",
                      .help = "who deletes a key whose value has died: the callback of its weak "
                              "reference, or the next look-up",
                      .kind = HM_PARAM_CHOICE,
                      .initial = DELETE_CALLBACK,
                      .choices = "callback|lookup"},
    {.name = NULL},
};

struct weakcache;

struct key {
    struct weakcache *owner;
    uint32_t number;
};

struct value {
    uint32_t number; /* of its key */
    uint64_t check;  /* hm_mix() of it */
};

static const struct hm_type array_type = {.name = "array", .variable = true};
static const struct hm_type key_type = {.name = "key", .payload_bytes = sizeof(struct key)};
static const struct hm_type value_type = {
    .name = "value", .slots = 1, .payload_bytes = sizeof(struct value), .weakable = true};

struct weakcache {
    struct hm_object *cache; /* root: of each key a weak reference, or NULL */
    struct hm_object *used;  /* root */
    struct hm_object *keys;  /* root */
    hm_weak_fn *callback;    /* NULL: none */
    uint64_t at;             /* operations that were done */
    uint64_t asked;          /* those since measure() */
    uint64_t hits, deleted;  /* keys that were found, and that callbacks have deleted, since then */
    bool broken;             /* the value of a key was that of another one */
    size_t bytes;            /* of this structure with what is behind it */
    uint32_t *uses;          /* of each key: slots of `used` that have its value */
    uint8_t *cyclic;         /* of each key: whether its value is */
    uint32_t script[SCRIPT]; /* keys */
};

/* ---- Setting up ---- */

static void draw_script(const struct hm_run *run, struct weakcache *c) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t keys = (uint32_t)run->params[PARAM_KEYS].number;
    uint64_t *sums = (uint64_t *)(void *)(c + 1);
    hm_zipf_sums(sums, keys);
    for (size_t i = 0; i < SCRIPT; i++)
        c->script[i] = hm_zipf_draw(&random, sums, keys);
    for (uint32_t i = 0; i < keys; i++)
        c->cyclic[i] = hm_random_below(&random, 100) < (uint64_t)run->params[PARAM_CYCLIC].number;
}

static struct weakcache *new_state(const struct hm_run *run) {
    size_t keys = (size_t)run->params[PARAM_KEYS].number;
    size_t bytes =
        sizeof(struct weakcache) + keys * (sizeof(uint64_t) + sizeof(uint32_t) + sizeof(uint8_t));
    struct weakcache *c = hm_scratch(bytes);
    if (!c)
        return NULL;
    c->bytes = bytes;
    c->uses = (uint32_t *)(void *)((uint64_t *)(void *)(c + 1) + keys);
    c->cyclic = (uint8_t *)(c->uses + keys);
    draw_script(run, c);
    return c;
}

static bool make_keys(struct hm_mutator *m, struct weakcache *c) {
    for (uint32_t i = 0; i < hm_length(c->keys); i++) {
        struct hm_object *key = hm_new(m, &key_type);
        if (!key)
            return false;
        *(struct key *)hm_payload(key) = (struct key){c, i};
        hm_adopt(m, c->keys, i, key);
    }
    return true;
}

/* ---- The cache ---- */

static void delete_key(struct hm_mutator *m, struct hm_object *reference) {
    const struct key *key = hm_payload(hm_load(reference, 0));
    struct weakcache *c = key->owner;
    if (hm_load(c->cache, key->number) != reference)
        return;
    c->deleted++;
    hm_store(m, c->cache, key->number, NULL);
}

/* The weak reference that a key has is of no use any more. */
static void forget(struct hm_mutator *m, struct weakcache *c, uint32_t number) {
    struct hm_object *reference = hm_load(c->cache, number);
    if (!reference)
        return;
    hm_store(m, c->cache, number, NULL);
    hm_dispose(m, reference);
}

/* A weak reference to the value, which a variable that is rooted holds. @return NULL: out of memory */
static struct hm_object *make_reference(struct hm_mutator *m, struct weakcache *c,
                                        struct hm_object *value, uint32_t number) {
    struct hm_object *reference = hm_weak_new(m, value, c->callback);
    if (!reference && c->callback && errno == ENOTSUP) {
        c->callback = NULL;
        reference = hm_weak_new(m, value, NULL);
    }
    if (reference)
        hm_store(m, reference, 0, hm_load(c->keys, number));
    return reference;
}

/* @return a value of the key, owned by the caller; NULL: out of memory */
static struct hm_object *make_value(struct hm_mutator *m, struct weakcache *c, uint32_t number) {
    struct hm_object *value = hm_new(m, &value_type);
    if (!value)
        return NULL;
    *(struct value *)hm_payload(value) = (struct value){number, hm_mix(number)};
    hm_root(m, &value);
    struct hm_object *reference = make_reference(m, c, value, number);
    hm_unroot(m, 1);
    if (!reference) {
        hm_dispose(m, value);
        hm_drop(m, &value);
        return NULL;
    }
    forget(m, c, number);
    hm_adopt(m, c->cache, number, reference);
    if (c->cyclic[number])
        hm_store(m, value, 0, value);
    return value;
}

/* @return the value of a key, owned by the caller; NULL: out of memory */
static inline struct hm_object *ask(struct hm_mutator *m, struct weakcache *c, uint32_t number) {
    struct hm_object *reference = hm_load(c->cache, number);
    struct hm_object *value = reference ? hm_weak_get(m, reference) : NULL;
    if (!value)
        return make_value(m, c, number);
    c->hits++;
    return value;
}

/* Nobody uses the value of a key any more. */
static void die(struct hm_mutator *m, struct weakcache *c, struct hm_object *value,
                uint32_t number) {
    struct hm_object *reference = hm_load(c->cache, number);
    hm_dispose(m, value); /* which deletes the key, if a callback does */
    hm_store(m, c->cache, number, NULL);
    hm_dispose(m, reference);
}

static inline uint32_t number_of(struct hm_object *value) {
    return ((const struct value *)hm_payload(value))->number;
}

/* Put a value, of which the caller gives up its reference, into a slot of `used`. */
static inline void use(struct hm_mutator *m, struct weakcache *c, uint32_t slot,
                       struct hm_object *value) {
    struct hm_object *old = hm_load(c->used, slot);
    uint32_t number = old ? number_of(old) : 0;
    c->uses[number_of(value)]++;
    bool last = old && --c->uses[number] == 0;
    if (HM_DISPOSES && last)
        die(m, c, old, number);
    hm_adopt(m, c->used, slot, value);
}

/* @return false: out of memory, and nothing is asked for */
static inline bool play(struct hm_run *run, struct weakcache *c) {
    struct hm_mutator *m = run->mutator;
    uint32_t number = c->script[c->at % SCRIPT];
    hm_safepoint(m);
    struct hm_object *value = ask(m, c, number);
    if (!value)
        return false;
    c->broken |= number_of(value) != number;
    run->checksum = run->checksum * 31 + ((const struct value *)hm_payload(value))->check;
    use(m, c, (uint32_t)(c->at % hm_length(c->used)), value);
    c->at++;
    c->asked++;
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct weakcache *c = run->state;
    uint64_t done = 0;
    while (done < units && play(run, c))
        done++;
    return done;
}

/* ---- The rest ---- */

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct weakcache *c = run->state;
    for (uint32_t i = 0; HM_DISPOSES && c->used && i < hm_length(c->used); i++) {
        struct hm_object *value = hm_load(c->used, i);
        if (value && --c->uses[number_of(value)] == 0)
            die(m, c, value, number_of(value));
    }
    if (HM_DISPOSES && c->used)
        hm_dispose(m, c->used);
    if (c->used)
        hm_drop(m, &c->used);
    hm_drop_array(m, &c->cache);
    hm_drop_array(m, &c->keys);
    hm_unroot(m, 3);
    hm_scratch_free(c, c->bytes);
    run->state = NULL;
}

/* So that a new value comes in the place of another one from now on. */
static bool fill(struct hm_run *run, struct weakcache *c) {
    uint32_t used = hm_length(c->used);
    bool filled = run_units(run, used) == used;
    c->asked = c->hits = c->deleted = 0;
    run->checksum = 0;
    return filled;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    uint32_t keys = (uint32_t)run->params[PARAM_KEYS].number;
    struct weakcache *c = run->state = new_state(run);
    if (!c)
        return ENOMEM;
    bool alone = !run->together || run->threads == 1;
    if (alone && run->params[PARAM_DELETE].number == DELETE_CALLBACK)
        c->callback = delete_key;
    hm_root(m, &c->cache);
    hm_root(m, &c->used);
    hm_root(m, &c->keys);
    c->cache = hm_new_array(m, &array_type, keys);
    if (c->cache)
        c->used = hm_new_array(m, &array_type, (uint32_t)run->params[PARAM_USED].number);
    if (c->used)
        c->keys = hm_new_array(m, &array_type, keys);
    if (c->used && c->keys && make_keys(m, c) && fill(run, c))
        return 0;
    teardown(run);
    return ENOMEM;
}

/* @return the value of a key, which is kept by others, or NULL: there is none */
static struct hm_object *peek(struct hm_mutator *m, const struct weakcache *c, uint32_t number) {
    struct hm_object *reference = hm_load(c->cache, number);
    struct hm_object *value = reference ? hm_weak_get(m, reference) : NULL;
    hm_release(m, value);
    return value;
}

/* What is used must be found under its key, after a collection; what is found must be of its key. */
static const char *verify(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct weakcache *c = run->state;
    if (c->broken)
        return "the value of a key was that of another one";
    hm_collect(m, 2);
    for (uint32_t i = 0; i < hm_length(c->used); i++) {
        struct hm_object *value = hm_load(c->used, i);
        if (value && peek(m, c, number_of(value)) != value)
            return "a value that is used was lost by the cache";
    }
    for (uint32_t i = 0; i < hm_length(c->cache); i++) {
        struct hm_object *value = peek(m, c, i);
        if (!value && c->uses[i])
            return "the value of a key died while it was used";
        if (value && (number_of(value) != i ||
                      ((const struct value *)hm_payload(value))->check != hm_mix(i)))
            return "the cache has a wrong value under a key";
    }
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct weakcache *c = run->state;
    uint64_t live = 3 + hm_length(c->keys);
    for (uint32_t i = 0; i < hm_length(c->cache); i++)
        live += (hm_load(c->cache, i) != NULL) + (uint64_t)(c->uses[i] > 0);
    return live;
}

static void measure(struct hm_run *run, double *values) {
    struct weakcache *c = run->state;
    if (c->asked) {
        values[0] = 100.0 * (double)c->hits / (double)c->asked;
        values[1] = 100.0 * (double)c->deleted / (double)c->asked;
    }
    c->asked = c->hits = c->deleted = 0;
}

static const struct hm_figure figures[] = {
    {.name = "hit_percent",
     .unit = "percent",
     .help = "of the operations that found their value still alive",
     .better = HM_FIGURE_NEITHER_IS_BETTER,
     .over_threads = HM_FIGURE_MIN},
    {.name = "deleted_percent",
     .unit = "percent",
     .help = "keys that callbacks of weak references have deleted, for a hundred operations",
     .better = HM_FIGURE_NEITHER_IS_BETTER,
     .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

static const struct hm_workload weakcache = {
    HM_WORKLOAD_VARIANT,
    .name = "weakcache",
    .summary = "ask a cache with weak values for the values of keys, some of which are cyclic",
    .stresses = "weak references and their callbacks, and how long garbage can still be found",
    .origin = "WeakValueDictionary of CPython's weakref; keys and sizes are ours",
    .op = "key asked for",
    .params = params,
    .figures = figures,
    .measure = measure,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, weakcache);
