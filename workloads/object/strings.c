/* Strings from a small vocabulary: what it saves, and costs, to intern them.
 *
 * An operation takes the next text of a script, as a parser would, puts a string with it into its slot
 * of a table, in the place of the one that was there, and compares it with the string of another slot.
 * The k-th of the words comes up as often as 1/k says (Zipf).
 *
 * With `intern=off` each string is an object of its own, with a copy of the text, and two strings are
 * equal if their texts are. With `intern=on` there is one object for each word, made in setup, immortal,
 * and shared; it is looked up in a hash table of all texts, and two strings are equal if they are the same
 * object. Whatever the parameters are, the texts and the answers are the same, and so is the checksum. */
#include "workloads/values.h"
#include "workloads/zipf.h"

#include <stdio.h>

enum {
    PARAM_INTERN,
    PARAM_FREELIST,
    PARAM_WORDS,
    PARAM_HELD,
};

enum {
    TEXT_BYTES = 32,
};

static const struct hm_param params[] = {
    [PARAM_INTERN] = {.name = "intern",
                      .unit = "",
                      .help = "whether one object is shared for each word, and found by its text",
                      .kind = HM_PARAM_CHOICE,
                      .initial = 0,
                      .choices = "off|on"},
    [PARAM_FREELIST] = HM_FREELIST_PARAM,
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
                    .min = 1,
                    .max = 1000000},
    {.name = NULL},
};

/* In the order of the choices of `freelist`. */
static const struct hm_type string_types[] = {
    {.name = "string", .payload_bytes = TEXT_BYTES},
    {.name = "kept string", .payload_bytes = TEXT_BYTES, HM_FREELIST(1)},
};

/* The text of a word, padded with zeros. */
struct text {
    uint64_t words[TEXT_BYTES / sizeof(uint64_t)];
};

/* The vocabulary, behind the table. */
struct words {
    uint32_t mask;     /* of an index into `places` */
    uint32_t *places;  /* the hash table: numbers of words, and 1; 0: none. Linear probing */
    uint64_t *weights; /* of all words up to each one */
    struct text *texts;
};

static const struct words *words_of(const struct hm_table *table) {
    return table->own;
}

/* ---- Texts ---- */

static inline bool are_equal(const struct text *a, const struct text *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static inline uint64_t hash(const struct text *text) {
    uint64_t sum = 0;
    for (size_t i = 0; i < TEXT_BYTES / sizeof(uint64_t); i++)
        sum = (sum ^ text->words[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 32;
}

/* @return the number of the word with this text, which must be one */
static inline uint32_t look_up(const struct hm_table *table, const struct text *text) {
    const struct words *words = words_of(table);
    for (uint64_t i = hash(text);; i++) {
        uint32_t number = words->places[i & words->mask] - 1;
        if (are_equal(hm_payload(hm_load(table->shared, number)), text))
            return number;
    }
}

/* NULL: out of memory */
static inline struct hm_object *make_string(struct hm_mutator *m, const struct hm_type *type,
                                            const struct text *text) {
    struct hm_object *object = hm_new(m, type);
    if (object)
        memcpy(hm_payload(object), text, sizeof *text);
    return object;
}

static struct hm_object *make_shared(struct hm_mutator *m, struct hm_table *table,
                                     uint32_t number) {
    return make_string(m, &string_types[0], &words_of(table)->texts[number]);
}

static bool is_word(const struct hm_table *table, struct hm_object *object, uint32_t number) {
    return are_equal(hm_payload(object), &words_of(table)->texts[number]);
}

/* ---- The script ---- */

static void make_words(struct words *words, uint32_t count) {
    hm_zipf_sums(words->weights, count);
    for (uint32_t i = 0; i < count; i++) {
        struct text *text = &words->texts[i];
        snprintf((char *)text, sizeof *text, "word_%llx_%u",
                 (unsigned long long)(hm_mix(i + 1u) >> i % 64), i);
        uint64_t place = hash(text);
        while (words->places[place & words->mask])
            place++;
        words->places[place & words->mask] = i + 1;
    }
}

static void draw_script(const struct hm_run *run, struct hm_table *table) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t count = (uint32_t)run->params[PARAM_WORDS].number;
    uint64_t held = (uint64_t)run->params[PARAM_HELD].number;
    make_words(table->own, count);
    for (size_t i = 0; i < HM_TABLE_SCRIPT; i++) {
        uint32_t number = hm_zipf_draw(&random, words_of(table)->weights, count);
        uint32_t slot = (uint32_t)hm_random_below(&random, held);
        table->script[i] =
            (struct hm_table_draw){number, slot, (uint32_t)hm_random_below(&random, held)};
    }
}

/* ---- Setting up ---- */

static uint32_t places_for(uint32_t count) {
    uint32_t places = 4;
    while (places < 2 * count)
        places *= 2;
    return places;
}

/* @return the table with an empty vocabulary behind it, or NULL */
static struct hm_table *new_table(uint32_t held, uint32_t count) {
    uint32_t places = places_for(count);
    struct hm_table *table =
        hm_table_new(held, sizeof(struct words) + places * sizeof(uint32_t) +
                               count * (sizeof(uint64_t) + sizeof(struct text)));
    if (!table)
        return NULL;
    struct words *words = table->own;
    words->mask = places - 1;
    words->texts = (struct text *)(void *)(words + 1);
    words->weights = (uint64_t *)(void *)(words->texts + count);
    words->places = (uint32_t *)(void *)(words->weights + count);
    return table;
}

static void teardown(struct hm_run *run) {
    hm_table_free(run->mutator, run->state);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    uint32_t held = (uint32_t)run->params[PARAM_HELD].number;
    uint32_t count = (uint32_t)run->params[PARAM_WORDS].number;
    struct hm_table *table = run->state = new_table(held, count);
    if (!table)
        return ENOMEM;
    draw_script(run, table);
    hm_root(m, &table->slots);
    hm_root(m, &table->shared);
    table->slots = hm_new_array(m, &hm_table_type, held);
    bool enough = table->slots;
    if (enough && run->params[PARAM_INTERN].number)
        enough = hm_table_share(m, table, count, make_shared);
    if (!enough)
        teardown(run);
    return enough ? 0 : ENOMEM;
}

/* ---- Running ---- */

/* Whether the strings of two slots, of which the second may be empty, are equal. */
static inline bool match(const struct hm_table *table, uint32_t slot, uint32_t other) {
    struct hm_object *a = hm_load(table->slots, slot);
    struct hm_object *b = hm_load(table->slots, other);
    if (a == b || !b || table->shared)
        return a == b;
    return are_equal(hm_payload(a), hm_payload(b));
}

/* Always inlined with a constant type, so that each choice of `freelist` has code of its own. */
static inline __attribute__((always_inline)) uint64_t run_with(struct hm_run *run, uint64_t units,
                                                               const struct hm_type *type) {
    struct hm_mutator *m = run->mutator;
    struct hm_table *table = run->state;
    for (uint64_t done = 0; done < units; done++) {
        struct hm_table_draw draw = hm_table_next(table);
        const struct text *text = &words_of(table)->texts[draw.number];
        struct hm_object *own = NULL;
        hm_safepoint(m);
        if (table->shared)
            draw.number = look_up(table, text);
        else if (!(own = make_string(m, type, text)))
            return done;
        hm_table_put(m, table, draw, own);
        table->at++;
        const struct text *put = hm_payload(hm_load(table->slots, draw.slot));
        run->checksum = run->checksum * 31 + put->words[1] + match(table, draw.slot, draw.other);
    }
    return units;
}

__attribute__((noinline)) static uint64_t run_plain(struct hm_run *run, uint64_t units) {
    return run_with(run, units, &string_types[0]);
}

__attribute__((noinline)) static uint64_t run_kept(struct hm_run *run, uint64_t units) {
    return run_with(run, units, &string_types[1]);
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    return run->params[PARAM_FREELIST].number ? run_kept(run, units) : run_plain(run, units);
}

static const char *verify(struct hm_run *run) {
    return hm_table_verify(run->state, is_word);
}

static uint64_t live_objects(const struct hm_run *run) {
    return hm_table_live(run->state);
}

static const struct hm_workload strings = {
    HM_WORKLOAD_VARIANT,
    .name = "strings",
    .summary = "put strings of a vocabulary into a table, and compare them with others there",
    .stresses = "allocation of small leaves, and what interning saves and its look-up costs",
    .origin = "interned strings of CPython 3.11; vocabulary and draws are ours",
    .op = "string put into the table",
    .params = params,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, strings);
