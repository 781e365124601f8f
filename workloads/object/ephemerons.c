/* A chain through a table: each value refers to the next key. A collector with ephemerons would see at once
 * that all of it dies with the first key; none of those here has them, so this is what a program does
 * without.
 *
 * Vocabulary
 *   link    a key, its value, and what the table needs for the two.
 *   table   weak: an array with a weak reference to each key, and the value itself. Whatever a value
 *           refers to lives as long as it stands there: a link goes only after the one before, and one
 *           whose value refers to its own key never does.
 *           key: the value stands in the key (as a property that nobody else looks at).
 *
 * A unit makes a chain, collects while its first key is held, when nothing may go, gives that key up, and
 * collects until all links are gone, or a collection has not made them fewer; then the table goes, too. How
 * many collections that takes is the collector's: a link for each in the worst case, which is
 * quadratic work. The figures tell; the program is the same.
 *
 * A dead link is taken out of a weak table by the callback of its reference or, with `delete=scan` or where
 * no callbacks are offered, by looking through the table after each collection. What a callback needs to
 * know stands in the ticket that its reference holds. Where threads share a collector, it could run on another
 * thread than the one that uses the table: there, it is looked through. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_LINKS,
    PARAM_TABLE,
    PARAM_REFERS,
    PARAM_DELETE,
};

enum {
    TABLE_WEAK,
    TABLE_KEY,
};

enum {
    REFERS_NEXT,
    REFERS_OWN,
};

enum {
    DELETE_CALLBACK,
    DELETE_SCAN,
};

/* Where references are counted, the callback of each link lets the next one die, within itself: so many such
 * calls have room on a thread's stack. */
enum {
    LINKS_MAX = 10000,
};

static const struct hm_param params[] = {
    [PARAM_LINKS] = {.name = "links",
                     .unit = "links",
                     .help = "keys with a value, one behind the other",
                     .kind = HM_PARAM_COUNT,
                     .initial = 100,
                     .min = 1,
                     .max = LINKS_MAX},
    [PARAM_TABLE] = {.name = "table",
                     .unit = "",
                     .help = "where values stand: in a table with weak keys, or in their keys",
                     .kind = HM_PARAM_CHOICE,
                     .initial = TABLE_WEAK,
                     .choices = "weak|key"},
    [PARAM_REFERS] = {.name = "refers",
                      .unit = "",
                      .help =
                          "what a value refers to: the next key, or its own, and all keys are held",
                      .kind = HM_PARAM_CHOICE,
                      .initial = REFERS_NEXT,
                      .choices = "next|own"},
    [PARAM_DELETE] = {.name = "delete",
                      .unit = "",
                      .help = "who takes dead links out of a weak table: the callback of the weak "
                              "reference, or a scan after each collection",
                      .kind = HM_PARAM_CHOICE,
                      .initial = DELETE_CALLBACK,
                      .choices = "callback|scan"},
    {.name = NULL},
};

enum {
    PER_LINK = 4, /* objects */
};

struct ephemerons;

struct ticket {
    struct ephemerons *owner;
    uint32_t number;
};

static const struct hm_type array_type = {.name = "array", .variable = true};
static const struct hm_type ticket_type = {.name = "ticket",
                                           .payload_bytes = sizeof(struct ticket)};
static const struct hm_type key_type = {
    .name = "key", .slots = 1, .payload_bytes = sizeof(uint64_t), .weakable = true};
static const struct hm_type value_type = {
    .name = "value", .slots = 1, .payload_bytes = sizeof(uint64_t)};

struct ephemerons {
    struct hm_object *held;    /* root: what the program holds, the first key or all of them */
    struct hm_object *table;   /* root: of each link the weak reference and the value, if weak */
    struct hm_object *head;    /* root: the key that was made last */
    struct hm_object *witness; /* root: a weak reference to the last key */
    hm_weak_fn *callback;      /* NULL: none */
    uint64_t left;             /* links in a weak table */
    const char *broken;
    uint64_t units, collections, kept; /* since measure(): to empty the table; links that stayed */
    size_t bytes;                      /* of this structure with what is behind it */
    uint64_t made;
    struct hm_object *objects[]; /* what was made, to be disposed of */
};

static uint32_t links_of(const struct hm_value *values) {
    return (uint32_t)values[PARAM_LINKS].number;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return links_of(values);
}

/* ---- Making links ---- */

/* A new object, which may be NULL, is noted. */
static struct hm_object *note(struct ephemerons *e, struct hm_object *object) {
    if (HM_DISPOSES && object)
        e->objects[e->made++] = object;
    return object;
}

static void delete_link(struct hm_mutator *m, struct hm_object *reference) {
    const struct ticket *ticket = hm_payload(hm_load(reference, 0));
    struct ephemerons *e = ticket->owner;
    uint32_t number = ticket->number;
    if (!e->table || hm_load(e->table, 2 * number) != reference)
        return;
    e->left--;
    hm_store(m, e->table, 2 * number, NULL);
    hm_store(m, e->table, 2 * number + 1, NULL);
}

/* A weak reference, owned by the caller, to the key that is the head. NULL: out of memory */
static struct hm_object *refer(struct hm_mutator *m, struct ephemerons *e) {
    struct hm_object *reference = hm_weak_new(m, e->head, e->callback);
    if (!reference && e->callback && errno == ENOTSUP) {
        e->callback = NULL;
        reference = hm_weak_new(m, e->head, NULL);
    }
    return note(e, reference);
}

/* Put the link whose key is the head, and whose value is new, into the table. @return false: no memory */
static bool enter_table(struct hm_mutator *m, struct ephemerons *e, uint32_t number,
                        struct hm_object *value) {
    hm_adopt(m, e->table, 2 * number + 1, value);
    struct hm_object *ticket = note(e, hm_new(m, &ticket_type));
    if (!ticket)
        return false;
    *(struct ticket *)hm_payload(ticket) = (struct ticket){e, number};
    hm_root(m, &ticket);
    struct hm_object *reference = refer(m, e);
    hm_unroot(m, 1);
    if (reference) {
        hm_store(m, reference, 0, ticket);
        hm_adopt(m, e->table, 2 * number, reference);
        e->left++;
    }
    hm_release(m, ticket);
    return reference;
}

/* Make the link in front of the ones that there are, whose key is the head. @return false: no memory */
static bool make_link(struct hm_run *run, uint32_t number) {
    struct ephemerons *e = run->state;
    struct hm_mutator *m = run->mutator;
    bool own = run->params[PARAM_REFERS].number == REFERS_OWN;
    hm_safepoint(m);
    struct hm_object *key = note(e, hm_new(m, &key_type));
    if (!key)
        return false;
    *(uint64_t *)hm_payload(key) = number;
    hm_root(m, &key);
    struct hm_object *value = note(e, hm_new(m, &value_type));
    hm_unroot(m, 1);
    if (!value) {
        hm_release(m, key);
        return false;
    }
    *(uint64_t *)hm_payload(value) = number;
    hm_store(m, value, 0, own ? key : e->head);
    hm_drop(m, &e->head);
    e->head = key;
    if (own)
        hm_store(m, e->held, number, key);
    if (run->params[PARAM_TABLE].number == TABLE_WEAK)
        return enter_table(m, e, number, value);
    hm_adopt(m, key, 0, value);
    return true;
}

/* @return whether all links could be made; the program holds what it must hold */
static bool make_chain(struct hm_run *run) {
    struct ephemerons *e = run->state;
    struct hm_mutator *m = run->mutator;
    uint32_t links = links_of(run->params);
    bool own = run->params[PARAM_REFERS].number == REFERS_OWN;
    e->left = e->made = 0;
    e->held = note(e, hm_new_array(m, &array_type, own ? links : 1));
    e->table = note(e, e->held ? hm_new_array(m, &array_type, 2 * links) : NULL);
    if (!e->table)
        return false;
    for (uint32_t i = links; i-- > 0;) {
        if (!make_link(run, i))
            return false;
        if (i == links - 1 && !(e->witness = note(e, hm_weak_new(m, e->head, NULL))))
            return false;
    }
    hm_store(m, e->held, 0, e->head);
    hm_drop(m, &e->head);
    return true;
}

/* ---- Letting them go ---- */

/* Newest first, so that a weak reference goes before its target. */
static void dispose_all(struct hm_mutator *m, struct ephemerons *e) {
    e->table = e->held = e->head = e->witness = NULL;
    while (e->made > 0)
        hm_dispose(m, e->objects[--e->made]);
    e->left = 0;
}

/* The program holds no key any more. */
static void drop_keys(struct hm_mutator *m, struct ephemerons *e) {
    if (HM_DISPOSES)
        dispose_all(m, e);
    hm_drop(m, &e->head);
    hm_drop(m, &e->held);
}

static void drop_table(struct hm_mutator *m, struct ephemerons *e) {
    e->left = 0;
    hm_drop(m, &e->witness);
    hm_drop(m, &e->table);
}

static bool is_dead(struct hm_mutator *m, struct hm_object *reference) {
    struct hm_object *target = hm_weak_get(m, reference);
    hm_release(m, target);
    return !target;
}

/* Take out what is dead, where no callback does. @return links that are left */
static uint64_t count_left(struct hm_run *run) {
    struct ephemerons *e = run->state;
    struct hm_mutator *m = run->mutator;
    if (run->params[PARAM_TABLE].number == TABLE_KEY)
        return !e->witness || is_dead(m, e->witness) ? 0 : links_of(run->params);
    for (uint32_t i = 0; !e->callback && e->table && i < links_of(run->params); i++) {
        struct hm_object *reference = hm_load(e->table, 2 * i);
        if (reference && is_dead(m, reference))
            delete_link(m, reference);
    }
    return e->left;
}

/* ---- The work ---- */

/* Collect until no link is left, or until it does not help. */
static void empty(struct hm_run *run) {
    struct ephemerons *e = run->state;
    uint64_t left = count_left(run);
    for (uint64_t before = UINT64_MAX; left > 0 && left < before;) {
        hm_safepoint(run->mutator);
        before = left;
        hm_collect(run->mutator, 2);
        e->collections++;
        left = count_left(run);
    }
    e->kept += left;
    e->units++;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct ephemerons *e = run->state;
    for (uint64_t done = 0; done < units; done++) {
        bool made = make_chain(run);
        if (made) {
            hm_collect(run->mutator, 2);
            if (count_left(run) != links_of(run->params))
                e->broken = "a link went while its key could be reached";
        }
        drop_keys(run->mutator, e);
        if (made)
            empty(run);
        drop_table(run->mutator, e);
        if (!made)
            return done;
        run->checksum = run->checksum * 31 + links_of(run->params);
    }
    return units;
}

/* ---- The rest ---- */

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    size_t objects = HM_DISPOSES ? (size_t)links_of(run->params) * PER_LINK + 3 : 0;
    size_t bytes = sizeof(struct ephemerons) + objects * sizeof(struct hm_object *);
    struct ephemerons *e = run->state = hm_scratch(bytes);
    if (!e)
        return ENOMEM;
    e->bytes = bytes;
    bool alone = !run->together || run->threads == 1;
    if (alone && run->params[PARAM_DELETE].number == DELETE_CALLBACK)
        e->callback = delete_link;
    hm_root(m, &e->held);
    hm_root(m, &e->table);
    hm_root(m, &e->head);
    hm_root(m, &e->witness);
    return 0;
}

static void teardown(struct hm_run *run) {
    struct ephemerons *e = run->state;
    hm_unroot(run->mutator, 4);
    hm_scratch_free(e, e->bytes);
    run->state = NULL;
}

/* From a held key on: the next one, through its value. */
static struct hm_object *value_of(struct hm_run *run, uint32_t number, struct hm_object *key) {
    const struct ephemerons *e = run->state;
    bool weak = run->params[PARAM_TABLE].number == TABLE_WEAK;
    return weak ? hm_load(e->table, 2 * number + 1) : hm_load(key, 0);
}

static bool is_whole(struct hm_run *run) {
    const struct ephemerons *e = run->state;
    uint32_t links = links_of(run->params);
    bool own = run->params[PARAM_REFERS].number == REFERS_OWN;
    struct hm_object *key = hm_load(e->held, 0);
    for (uint32_t i = 0; i < links; i++) {
        struct hm_object *value = key ? value_of(run, i, key) : NULL;
        if (!value || *(uint64_t *)hm_payload(key) != i || *(uint64_t *)hm_payload(value) != i)
            return false;
        struct hm_object *next = hm_load(value, 0);
        if (own && next != key)
            return false;
        key = own && i + 1 < links ? hm_load(e->held, i + 1) : next;
    }
    return own || !key;
}

/* One more chain must be whole after a collection, and gone after its table is. */
static const char *verify(struct hm_run *run) {
    struct ephemerons *e = run->state;
    const char *broken = e->broken;
    if (!make_chain(run))
        broken = "memory ran out in the chain for verification";
    hm_collect(run->mutator, 2);
    if (!broken && !is_whole(run))
        broken = "the chain is not as it was made";
    drop_keys(run->mutator, e);
    drop_table(run->mutator, e);
    hm_collect(run->mutator, 2);
    return broken;
}

static void measure(struct hm_run *run, double *values) {
    struct ephemerons *e = run->state;
    if (e->units) {
        values[0] = (double)e->collections / (double)e->units;
        values[1] = 100.0 * (double)e->kept / (double)(e->units * links_of(run->params));
    }
    e->units = e->collections = e->kept = 0;
}

static const struct hm_figure figures[] = {
    {.name = "collections_to_empty",
     .unit = "collections",
     .help = "that it takes until all is gone that hung on a dead key, or no more goes",
     .better = HM_FIGURE_LOWER_IS_BETTER,
     .over_threads = HM_FIGURE_MAX},
    {.name = "kept_percent",
     .unit = "percent",
     .help = "of the links that hung on a dead key, those that no collection took away",
     .better = HM_FIGURE_LOWER_IS_BETTER,
     .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

static const struct hm_workload ephemerons = {
    HM_WORKLOAD_VARIANT,
    .name = "ephemerons",
    .summary = "let a chain die whose values, in a table with weak keys, refer to the next key",
    .stresses = "weak keys without ephemerons: collections, each of which frees one link more",
    .origin = "ephemerons of whippet, 2022-2026; there with ephemerons, and as many as the heap "
              "has room for",
    .op = "link made",
    .params = params,
    .figures = figures,
    .measure = measure,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, ephemerons);
