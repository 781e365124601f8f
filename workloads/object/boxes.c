/* Boxed integers and strings: what it saves to keep small ones instead of making them anew, and to keep
 * the memory of dead ones.
 *
 * A table is held all along, with an integer in each even slot and a string in each odd one. An operation
 * puts the next value of a script into its slot, in the place of what was there. The script is drawn
 * before the clock: `small` percent of the integers are in -5 .. 256, and the k-th of the words comes
 * up as often as 1/k says (Zipf).
 *
 * With `ints=cache` there is one object for each integer in -5 .. 256, with `strings=intern` one for each
 * word: made in setup, immortal, and shared. All other values are objects of their own, alive as long as
 * they are in the table; `freelist` says how many dead ones of each kind may be kept for that. Whatever
 * the parameters are, the values are the same, and so is the checksum. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <stdio.h>

enum {
    PARAM_INTS,
    PARAM_STRINGS,
    PARAM_FREELIST,
    PARAM_SMALL,
    PARAM_WORDS,
    PARAM_HELD,
};

enum ints {
    INTS_FRESH,
    INTS_CACHE,
};

enum strings {
    STRINGS_FRESH,
    STRINGS_INTERN,
};

enum {
    CACHE_MIN = -5,
    CACHE_MAX = 256,
    CACHED = CACHE_MAX - CACHE_MIN + 1,
    LARGE_MAX = 1 << 30,
    SCRIPT = 1 << 16, /* draws; the script starts again behind its end */
    TEXT_BYTES = 32,
};

static const struct hm_param params[] = {
    [PARAM_INTS] = {.name = "ints",
                    .unit = "",
                    .help = "make each integer anew, or share one object for each of -5 .. 256",
                    .kind = HM_PARAM_CHOICE,
                    .initial = INTS_FRESH,
                    .choices = "fresh|cache"},
    [PARAM_STRINGS] = {.name = "strings",
                       .unit = "",
                       .help = "make each string anew, or share one object for each word",
                       .kind = HM_PARAM_CHOICE,
                       .initial = STRINGS_FRESH,
                       .choices = "fresh|intern"},
    [PARAM_FREELIST] = {.name = "freelist",
                        .unit = "",
                        .help = "dead objects of each kind that the collector may keep",
                        .kind = HM_PARAM_CHOICE,
                        .initial = 0,
                        .choices = "0|100|1000"},
    [PARAM_SMALL] = {.name = "small",
                     .unit = "percent",
                     .help = "of the integers that are in -5 .. 256; the others are above, to 2^30",
                     .kind = HM_PARAM_COUNT,
                     .initial = 80,
                     .min = 0,
                     .max = 100},
    [PARAM_WORDS] = {.name = "words",
                     .unit = "words",
                     .help = "different strings that there are",
                     .kind = HM_PARAM_COUNT,
                     .initial = 1000,
                     .min = 1,
                     .max = 100000},
    [PARAM_HELD] = {.name = "held",
                    .unit = "values",
                    .help = "slots of the table",
                    .kind = HM_PARAM_COUNT,
                    .initial = 1000,
                    .min = 2,
                    .max = 1000000},
    {.name = NULL},
};

static const struct hm_type table_type = {.name = "table", .variable = true};

/* In the order of the choices of `freelist`. */
static const struct hm_type int_types[] = {
    {.name = "int", .payload_bytes = sizeof(int64_t)},
    {.name = "int-100", .payload_bytes = sizeof(int64_t), .free_list = 1, .kept = 100},
    {.name = "int-1000", .payload_bytes = sizeof(int64_t), .free_list = 1, .kept = 1000},
};
static const struct hm_type string_types[] = {
    {.name = "string", .payload_bytes = TEXT_BYTES},
    {.name = "string-100", .payload_bytes = TEXT_BYTES, .free_list = 2, .kept = 100},
    {.name = "string-1000", .payload_bytes = TEXT_BYTES, .free_list = 2, .kept = 1000},
};

struct draw {
    int32_t value; /* of an even slot, an integer; of an odd one, the number of a word */
    uint32_t slot;
};

struct boxes {
    struct hm_object *table, *ints, *strings; /* roots; the last two NULL unless shared */
    uint64_t at;                              /* draws that were played */
    size_t bytes;                             /* of this structure with what is behind it */
    char (*texts)[TEXT_BYTES];
    uint64_t *weights; /* of all words up to each one */
    struct draw *last; /* of each slot, for verify */
    struct draw script[SCRIPT];
};

static bool is_string(uint32_t slot) {
    return slot % 2;
}

/* ---- The script ---- */

static uint32_t draw_word(struct hm_random *random, const uint64_t *weights, uint32_t words) {
    uint64_t target = hm_random_below(random, weights[words - 1]);
    uint32_t low = 0;
    for (uint32_t high = words - 1; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (weights[middle] > target)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int32_t draw_int(struct hm_random *random, uint64_t small_percent) {
    bool small = hm_random_below(random, 100) < small_percent;
    uint64_t values = small ? CACHED : LARGE_MAX - CACHE_MAX;
    return (int32_t)hm_random_below(random, values) + (small ? CACHE_MIN : CACHE_MAX + 1);
}

static void draw_script(struct hm_run *run, struct boxes *boxes) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t words = (uint32_t)run->params[PARAM_WORDS].number;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < words; i++) {
        snprintf(boxes->texts[i], TEXT_BYTES, "%016llx_%u", (unsigned long long)hm_mix(i + 1u), i);
        boxes->weights[i] = sum += (UINT64_C(1) << 40) / (i + 1);
    }
    for (size_t i = 0; i < SCRIPT; i++) {
        uint32_t slot =
            (uint32_t)hm_random_below(&random, (uint64_t)run->params[PARAM_HELD].number);
        int32_t word = (int32_t)draw_word(&random, boxes->weights, words);
        int32_t number = draw_int(&random, (uint64_t)run->params[PARAM_SMALL].number);
        boxes->script[i] = (struct draw){is_string(slot) ? word : number, slot};
    }
}

/* ---- Values ---- */

/* NULL: out of memory */
static inline struct hm_object *make_int(struct hm_mutator *m, const struct hm_type *type,
                                         int64_t value) {
    struct hm_object *object = hm_new(m, type);
    if (object)
        *(int64_t *)hm_payload(object) = value;
    return object;
}

static inline struct hm_object *make_string(struct hm_mutator *m, const struct hm_type *type,
                                            const char *text) {
    struct hm_object *object = hm_new(m, type);
    if (object)
        memcpy(hm_payload(object), text, TEXT_BYTES);
    return object;
}

static bool is_cached_int(const struct boxes *boxes, int64_t value) {
    return boxes->ints && value >= CACHE_MIN && value <= CACHE_MAX;
}

/* Whether what is in a slot is shared, and stays when it leaves the slot. */
static bool is_shared(const struct boxes *boxes, uint32_t slot, struct hm_object *object) {
    return is_string(slot) ? boxes->strings != NULL
                           : is_cached_int(boxes, *(int64_t *)hm_payload(object));
}

/* @return the object that the value shares, not owned by the caller, or NULL: it has its own */
static inline struct hm_object *find_shared(const struct boxes *boxes, struct draw draw) {
    if (is_string(draw.slot))
        return boxes->strings ? hm_load(boxes->strings, (uint32_t)draw.value) : NULL;
    if (!is_cached_int(boxes, draw.value))
        return NULL;
    return hm_load(boxes->ints, (uint32_t)(draw.value - CACHE_MIN));
}

/* What a slot holds, as a number: an integer, or the first bytes of a text. */
static inline uint64_t digest(struct hm_object *object) {
    uint64_t word;
    memcpy(&word, hm_payload(object), sizeof word);
    return word;
}

static uint64_t expected_digest(const struct boxes *boxes, struct draw draw) {
    int64_t value = draw.value;
    uint64_t word;
    memcpy(&word, is_string(draw.slot) ? boxes->texts[draw.value] : (const char *)&value,
           sizeof word);
    return word;
}

/* ---- Setting up ---- */

/* Put a new value, which may be NULL, into an array of shared ones, for ever. */
static bool share(struct hm_mutator *m, struct hm_object *array, uint32_t slot,
                  struct hm_object *object) {
    if (!object)
        return false;
    hm_adopt(m, array, slot, object);
    return hm_immortalize(m, object);
}

static bool share_ints(struct hm_mutator *m, struct boxes *boxes) {
    boxes->ints = hm_new_array(m, &table_type, CACHED);
    for (uint32_t i = 0; boxes->ints && i < CACHED; i++)
        if (!share(m, boxes->ints, i, make_int(m, &int_types[0], (int64_t)i + CACHE_MIN)))
            return false;
    return boxes->ints;
}

static bool share_strings(struct hm_mutator *m, struct boxes *boxes, uint32_t words) {
    boxes->strings = hm_new_array(m, &table_type, words);
    for (uint32_t i = 0; boxes->strings && i < words; i++)
        if (!share(m, boxes->strings, i, make_string(m, &string_types[0], boxes->texts[i])))
            return false;
    return boxes->strings;
}

static void dispose(struct hm_mutator *m, const struct boxes *boxes, uint32_t slot,
                    struct hm_object *object) {
    if (HM_DISPOSES && object && !is_shared(boxes, slot, object))
        hm_dispose(m, object);
}

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct boxes *boxes = run->state;
    for (uint32_t i = 0; HM_DISPOSES && boxes->table && i < hm_length(boxes->table); i++)
        dispose(m, boxes, i, hm_load(boxes->table, i));
    if (HM_DISPOSES && boxes->table)
        hm_dispose(m, boxes->table);
    hm_drop(m, &boxes->table);
    hm_drop_array(m, &boxes->ints);
    hm_drop_array(m, &boxes->strings);
    hm_unroot(m, 3);
    hm_scratch_free(boxes, boxes->bytes);
    run->state = NULL;
}

/* @return the state with room for all that is behind it, or NULL */
static struct boxes *new_state(const struct hm_value *values) {
    size_t words = (size_t)values[PARAM_WORDS].number;
    size_t held = (size_t)values[PARAM_HELD].number;
    size_t bytes =
        sizeof(struct boxes) + words * (TEXT_BYTES + sizeof(uint64_t)) + held * sizeof(struct draw);
    struct boxes *boxes = hm_scratch(bytes);
    if (!boxes)
        return NULL;
    boxes->bytes = bytes;
    boxes->weights = (uint64_t *)(void *)(boxes + 1);
    boxes->last = (struct draw *)(void *)(boxes->weights + words);
    boxes->texts = (char(*)[TEXT_BYTES])(void *)(boxes->last + held);
    return boxes;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct boxes *boxes = run->state = new_state(run->params);
    if (!boxes)
        return ENOMEM;
    draw_script(run, boxes);
    hm_root(m, &boxes->table);
    hm_root(m, &boxes->ints);
    hm_root(m, &boxes->strings);
    boxes->table = hm_new_array(m, &table_type, (uint32_t)run->params[PARAM_HELD].number);
    bool enough = boxes->table;
    if (enough && run->params[PARAM_INTS].number == INTS_CACHE)
        enough = share_ints(m, boxes);
    if (enough && run->params[PARAM_STRINGS].number == STRINGS_INTERN)
        enough = share_strings(m, boxes, (uint32_t)run->params[PARAM_WORDS].number);
    if (!enough)
        teardown(run);
    return enough ? 0 : ENOMEM;
}

/* ---- Running ---- */

/* Always inlined with constant types, so that each choice of `freelist` has code of its own.
 * @return false: out of memory, and nothing has changed */
static inline __attribute__((always_inline)) bool play(struct hm_mutator *m, struct boxes *boxes,
                                                       struct draw draw,
                                                       const struct hm_type *int_type,
                                                       const struct hm_type *string_type) {
    hm_safepoint(m);
    struct hm_object *old = HM_DISPOSES ? hm_load(boxes->table, draw.slot) : NULL;
    struct hm_object *object = find_shared(boxes, draw);
    if (object) {
        hm_store(m, boxes->table, draw.slot, object);
    } else {
        object = is_string(draw.slot) ? make_string(m, string_type, boxes->texts[draw.value])
                                      : make_int(m, int_type, draw.value);
        if (!object)
            return false;
        hm_adopt(m, boxes->table, draw.slot, object);
    }
    dispose(m, boxes, draw.slot, old);
    return true;
}

static inline __attribute__((always_inline)) uint64_t run_with(struct hm_run *run, uint64_t units,
                                                               const struct hm_type *int_type,
                                                               const struct hm_type *string_type) {
    struct boxes *boxes = run->state;
    for (uint64_t done = 0; done < units; done++) {
        struct draw draw = boxes->script[boxes->at % SCRIPT];
        if (!play(run->mutator, boxes, draw, int_type, string_type))
            return done;
        boxes->at++;
        run->checksum = run->checksum * 31 + digest(hm_load(boxes->table, draw.slot));
    }
    return units;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    switch (run->params[PARAM_FREELIST].number) {
    case 0:
        return run_with(run, units, &int_types[0], &string_types[0]);
    case 1:
        return run_with(run, units, &int_types[1], &string_types[1]);
    default:
        return run_with(run, units, &int_types[2], &string_types[2]);
    }
}

/* Each slot must hold what was put there last. */
static const char *verify(struct hm_run *run) {
    struct boxes *boxes = run->state;
    uint32_t held = hm_length(boxes->table);
    for (uint32_t slot = 0; slot < held; slot++)
        boxes->last[slot].slot = UINT32_MAX;
    for (uint64_t i = boxes->at > SCRIPT ? boxes->at - SCRIPT : 0; i < boxes->at; i++) {
        struct draw draw = boxes->script[i % SCRIPT];
        boxes->last[draw.slot] = draw;
    }
    for (uint32_t slot = 0; slot < held; slot++) {
        struct hm_object *object = hm_load(boxes->table, slot);
        if ((boxes->last[slot].slot == slot) != (object != NULL))
            return "a slot is empty that was filled, or the other way round";
        if (object && digest(object) != expected_digest(boxes, boxes->last[slot]))
            return "a value is not what was put into its slot";
    }
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct boxes *boxes = run->state;
    uint64_t live = 1 + (boxes->ints ? CACHED + 1u : 0u) +
                    (boxes->strings ? hm_length(boxes->strings) + 1u : 0u);
    for (uint32_t slot = 0; slot < hm_length(boxes->table); slot++) {
        struct hm_object *object = hm_load(boxes->table, slot);
        live += object && !is_shared(boxes, slot, object);
    }
    return live;
}

static const struct hm_workload boxes = {
    HM_WORKLOAD_VARIANT,
    .name = "boxes",
    .summary = "put boxed integers and strings into a table, in the place of older ones",
    .stresses = "allocation of small values, and what their caches and free lists save",
    .origin = "small ints, interned strings and free lists of CPython 3.11; the draws are ours",
    .op = "value put into the table",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, boxes);
