/* A cache of the most recently used values: entries that a hash table finds, and a doubly linked list
 * keeps in order.
 *
 * Vocabulary
 *   entry     key, value, its neighbours in the list, and the next entry of its bucket.
 *   sentinel  an entry without key: the newest one is behind it, the oldest in front of it.
 *
 * An operation looks a key up. What is found becomes the newest; what is not is made, with its value, and
 * the oldest entry goes if the cache is full. An entry leaves list and bucket before it is given up, so it
 * is in no cycle when it dies; all that live are in many.
 *
 * The keys are drawn before the clock; with `skew=zipf` the k-th comes up as often as 1/k says. */
#include "workloads/objects.h"
#include "workloads/scratch.h"
#include "workloads/zipf.h"

#include <errno.h>

enum {
    PARAM_CAPACITY,
    PARAM_KEYS,
    PARAM_SKEW,
    PARAM_VALUE,
};

enum skew {
    SKEW_ZIPF,
    SKEW_UNIFORM,
};

enum {
    PREV, /* newer */
    NEXT, /* older */
    CHAIN,
    VALUE,
    SLOTS,
};

enum {
    SCRIPT = 1 << 16, /* draws; the script starts again behind its end */
};

static const struct hm_param params[] = {
    [PARAM_CAPACITY] = {.name = "capacity",
                        .unit = "entries",
                        .help = "entries that the cache may have",
                        .kind = HM_PARAM_COUNT,
                        .initial = 5000,
                        .min = 1,
                        .max = 10000000},
    [PARAM_KEYS] = {.name = "keys",
                    .unit = "keys",
                    .help = "different keys that are looked up",
                    .kind = HM_PARAM_COUNT,
                    .initial = 50000,
                    .min = 1,
                    .max = 10000000},
    [PARAM_SKEW] = {.name = "skew",
                    .unit = "",
                    .help = "how often each key is looked up: the k-th 1/k times, or equally",
                    .kind = HM_PARAM_CHOICE,
                    .initial = SKEW_ZIPF,
                    .choices = "zipf|uniform"},
    [PARAM_VALUE] = {.name = "value",
                     .unit = "",
                     .help = "bytes of a value",
                     .kind = HM_PARAM_CHOICE,
                     .initial = 1,
                     .choices = "16|64|1K|16K"},
    {.name = NULL},
};

static const struct hm_type table_type = {.name = "table", .variable = true};
static const struct hm_type entry_type = {
    .name = "entry", .slots = SLOTS, .payload_bytes = sizeof(uint64_t)};

/* In the order of the choices of `value`: a type must outlive the collector, not just the run. */
static const struct hm_type value_types[] = {
    {.name = "value-16", .payload_bytes = 16},
    {.name = "value-64", .payload_bytes = 64},
    {.name = "value-1K", .payload_bytes = 1 << 10},
    {.name = "value-16K", .payload_bytes = 16 << 10},
};

struct lru {
    struct hm_object *buckets;  /* root */
    struct hm_object *sentinel; /* root */
    uint64_t entries;
    uint64_t at; /* draws that were played */
    uint32_t script[SCRIPT];
};

static uint64_t key_of(struct hm_object *entry) {
    return *(uint64_t *)hm_payload(entry);
}

static uint64_t value_of_key(uint64_t key) {
    return hm_mix(key + 1);
}

static inline uint32_t bucket_of(const struct lru *lru, uint64_t key) {
    return (uint32_t)(hm_mix(key) % hm_length(lru->buckets));
}

static bool draw_script(const struct hm_run *run, struct lru *lru) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t keys = (uint32_t)run->params[PARAM_KEYS].number;
    uint64_t *sums = hm_scratch(keys * sizeof *sums);
    if (!sums)
        return false;
    hm_zipf_sums(sums, keys);
    for (size_t i = 0; i < SCRIPT; i++)
        lru->script[i] = run->params[PARAM_SKEW].number == SKEW_ZIPF
                             ? hm_zipf_draw(&random, sums, keys)
                             : (uint32_t)hm_random_below(&random, keys);
    hm_scratch_free(sums, keys * sizeof *sums);
    return true;
}

/* ---- The list ---- */

/* The entry is held by its bucket, or by the caller. */
static inline void unlink_entry(struct hm_mutator *m, struct hm_object *entry) {
    struct hm_object *newer = hm_load(entry, PREV);
    struct hm_object *older = hm_load(entry, NEXT);
    hm_store(m, newer, NEXT, older);
    hm_store(m, older, PREV, newer);
    hm_store(m, entry, PREV, NULL);
    hm_store(m, entry, NEXT, NULL);
}

static inline void link_newest(struct hm_mutator *m, const struct lru *lru,
                               struct hm_object *entry) {
    struct hm_object *second = hm_load(lru->sentinel, NEXT);
    hm_store(m, entry, PREV, lru->sentinel);
    hm_store(m, entry, NEXT, second);
    hm_store(m, second, PREV, entry);
    hm_store(m, lru->sentinel, NEXT, entry);
}

/* ---- The table ---- */

/* @return an entry that the bucket holds, or NULL */
static inline struct hm_object *find(const struct lru *lru, uint64_t key) {
    struct hm_object *entry = hm_load(lru->buckets, bucket_of(lru, key));
    while (entry && key_of(entry) != key)
        entry = hm_load(entry, CHAIN);
    return entry;
}

/* The entry is held by the caller. */
static void leave_bucket(struct hm_mutator *m, const struct lru *lru, struct hm_object *entry) {
    struct hm_object *holder = lru->buckets;
    uint32_t slot = bucket_of(lru, key_of(entry));
    while (hm_load(holder, slot) != entry) {
        holder = hm_load(holder, slot);
        slot = CHAIN;
    }
    hm_store(m, holder, slot, hm_load(entry, CHAIN));
    hm_store(m, entry, CHAIN, NULL);
}

static void enter_bucket(struct hm_mutator *m, const struct lru *lru, struct hm_object *entry) {
    uint32_t bucket = bucket_of(lru, key_of(entry));
    hm_store(m, entry, CHAIN, hm_load(lru->buckets, bucket));
    hm_store(m, lru->buckets, bucket, entry);
}

/* ---- The cache ---- */

static void evict_oldest(struct hm_mutator *m, struct lru *lru) {
    struct hm_object *entry = hm_load(lru->sentinel, PREV);
    hm_retain(m, entry);
    unlink_entry(m, entry);
    leave_bucket(m, lru, entry);
    lru->entries--;
    hm_dispose(m, hm_load(entry, VALUE));
    hm_dispose(m, entry);
    hm_release(m, entry);
}

/* @return an entry with its value, owned by the caller, or NULL: out of memory */
static struct hm_object *make_entry(struct hm_mutator *m, const struct hm_type *type,
                                    uint64_t key) {
    struct hm_object *value = hm_new(m, type);
    if (!value)
        return NULL;
    *(uint64_t *)hm_payload(value) = value_of_key(key);
    hm_root(m, &value);
    struct hm_object *entry = hm_new(m, &entry_type);
    hm_unroot(m, 1);
    if (!entry) {
        hm_dispose(m, value);
        hm_release(m, value);
        return NULL;
    }
    *(uint64_t *)hm_payload(entry) = key;
    hm_init_store(m, entry, VALUE, value);
    return entry;
}

/* @return the entry of a key, or NULL: out of memory, and nothing has changed */
static inline struct hm_object *look_up(struct hm_run *run, struct lru *lru, uint64_t key) {
    struct hm_mutator *m = run->mutator;
    hm_safepoint(m);
    struct hm_object *entry = find(lru, key);
    if (entry) {
        unlink_entry(m, entry);
        link_newest(m, lru, entry);
        return entry;
    }
    entry = make_entry(m, &value_types[run->params[PARAM_VALUE].number], key);
    if (!entry)
        return NULL;
    if (lru->entries == (uint64_t)run->params[PARAM_CAPACITY].number)
        evict_oldest(m, lru);
    enter_bucket(m, lru, entry);
    link_newest(m, lru, entry);
    hm_release(m, entry);
    lru->entries++;
    return entry;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct lru *lru = run->state;
    for (uint64_t done = 0; done < units; done++) {
        struct hm_object *entry = look_up(run, lru, lru->script[lru->at % SCRIPT]);
        if (!entry)
            return done;
        lru->at++;
        run->checksum = run->checksum * 31 + *(uint64_t *)hm_payload(hm_load(entry, VALUE));
    }
    return units;
}

/* The sentinel refers to itself, and to the rest: it has to be opened. */
static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct lru *lru = run->state;
    while (lru->entries)
        evict_oldest(m, lru);
    if (lru->sentinel) {
        hm_store(m, lru->sentinel, PREV, NULL);
        hm_store(m, lru->sentinel, NEXT, NULL);
        hm_dispose(m, lru->sentinel);
    }
    if (lru->buckets)
        hm_dispose(m, lru->buckets);
    hm_drop(m, &lru->sentinel);
    hm_drop(m, &lru->buckets);
    hm_unroot(m, 2);
    hm_scratch_free(lru, sizeof *lru);
    run->state = NULL;
}

/* The script is played until the cache is full, but once at most.
 * @return false: out of memory */
static bool fill(struct hm_run *run, struct lru *lru) {
    struct hm_mutator *m = run->mutator;
    lru->buckets = hm_new_array(m, &table_type, (uint32_t)run->params[PARAM_CAPACITY].number);
    if (lru->buckets)
        lru->sentinel = hm_new(m, &entry_type);
    if (!lru->sentinel)
        return false;
    hm_store(m, lru->sentinel, PREV, lru->sentinel);
    hm_store(m, lru->sentinel, NEXT, lru->sentinel);
    while (lru->at < SCRIPT && lru->entries < (uint64_t)run->params[PARAM_CAPACITY].number)
        if (!look_up(run, lru, lru->script[lru->at++]))
            return false;
    return true;
}

static int setup(struct hm_run *run) {
    struct lru *lru = run->state = hm_scratch(sizeof *lru);
    if (!lru)
        return ENOMEM;
    hm_root(run->mutator, &lru->buckets);
    hm_root(run->mutator, &lru->sentinel);
    if (draw_script(run, lru) && fill(run, lru))
        return 0;
    teardown(run);
    return ENOMEM;
}

/* ---- Verification ---- */

static const char *look_at(const struct lru *lru, struct hm_object *entry, uint64_t key) {
    if (entry == lru->sentinel)
        return "the cache has lost entries";
    if (key_of(entry) != key)
        return "the entries are not in the order of their use";
    if (find(lru, key) != entry || hm_load(hm_load(entry, PREV), NEXT) != entry)
        return "an entry is not where it should be";
    if (*(uint64_t *)hm_payload(hm_load(entry, VALUE)) != value_of_key(key))
        return "a value is not that of its key";
    return NULL;
}

/* The draws, from the last one back, say which keys are in the cache, and in which order.
 * @param seen of each key: 0 */
static const char *look_back(const struct hm_run *run, char *seen) {
    const struct lru *lru = run->state;
    struct hm_object *entry = hm_load(lru->sentinel, NEXT);
    uint64_t met = 0;
    const char *broken = NULL;
    uint64_t first = lru->at > SCRIPT ? lru->at - SCRIPT : 0;
    for (uint64_t i = lru->at; !broken && i-- > first && met < lru->entries;) {
        uint32_t key = lru->script[i % SCRIPT];
        if (seen[key])
            continue;
        seen[key] = 1;
        met++;
        broken = look_at(lru, entry, key);
        entry = hm_load(entry, NEXT);
    }
    if (!broken && (met != lru->entries || entry != lru->sentinel))
        broken = "the cache has entries that nobody asked for";
    return broken;
}

static const char *verify(struct hm_run *run) {
    size_t keys = (size_t)run->params[PARAM_KEYS].number;
    char *seen = hm_scratch(keys);
    if (!seen)
        return "memory ran out for verification";
    const char *broken = look_back(run, seen);
    hm_scratch_free(seen, keys);
    return broken;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct lru *lru = run->state;
    return 2 + 2 * lru->entries;
}

static const struct hm_workload lru = {
    HM_WORKLOAD_VARIANT,
    .name = "lru",
    .summary = "look keys up in a cache of the most recently used values, of objects",
    .stresses = "stores into old objects, and entries that die old, though in no cycle",
    .origin = "heapmark; the textbook's cache of a hash table and a doubly linked list",
    .op = "key looked up",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, lru);
