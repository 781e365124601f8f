/* The policy `incremental`: what CPython 3.14.0 to 3.14.4 did in the place of older generations
 * (Python/gc.c). For generational.c, which has the words.
 *
 * Words
 *   young      generation 0.
 *   pending    the old space whose objects this round has not looked at; both spaces, the lists of
 *              generations 1 and 2 in turn, are what a program sees as generation 2.
 *   visited    the other one; also the `mark` of what is there, on the permanent list, or in an
 *              increment. Young objects are marked only when they come into one.
 *   increment  young, and objects of pending, each with all of pending that it reaches: so no cycle
 *              is split, and each is found by the increment that its first object comes into.
 *   round      begins with all of old pending, and ends when nothing is.
 *
 * Left out: marking from the roots, at the start of a round and of an increment. A collector that
 * counts references knows no roots; CPython walks its stacks. The call that would only mark still goes
 * by without an increment. */
#ifndef HM_COLLECTORS_GENERATIONAL_INCREMENT_H
#define HM_COLLECTORS_GENERATIONAL_INCREMENT_H

#include "collectors/generational_count.h"
#include "collectors/generational_garbage.h"
#include "collectors/generational_retire.h"

enum {
    SCAN_RATE_DIVISOR =
        10, /* with the default threshold of 10, an increment scans 1% of the heap */
};

/* ---- How much to do ---- */

static int64_t heap_share(const struct hm_mutator *m) {
    int64_t scale = m->generations[1].threshold < 2 ? 2 : m->generations[1].threshold;
    return heap_size(m) / SCAN_RATE_DIVISOR / scale;
}

/* New objects, and up to one and a half of that of the old ones: more than are added, so that a round
 * ends (assess_work_to_do). */
static int64_t assess_work(const struct hm_mutator *m) {
    int64_t new = m->generations[0].count;
    int64_t share = heap_share(m);
    return new + (share < new * 3 / 2 ? share : new * 3 / 2);
}

/* ---- Collecting ---- */

/* What survives goes from one list to the other, which may be the same. */
static struct outcome collect_region(struct hm_mutator *m, struct hm_gc_head *from,
                                     struct hm_gc_head *to, struct hm_gc_guide *guide) {
    struct hm_gc_head garbage;
    retire_immortals(m, from);
    struct deduced n = deduce_unreachable(m, from, &garbage, guide);
    untrack_immutable(m, from);
    if (from != to)
        hm_gc_list_merge(from, to);
    m->visited += n.examined;
    return do_away(m, &garbage, n, to);
}

struct expansion {
    struct hm_gc_head *increment;
    unsigned visited;
    int64_t size;
};

static inline int visit_expand(struct hm_object *object, void *arg) {
    struct expansion *e = arg;
    if (object->leaf || object->mark == e->visited || object->count & HM_IMMORTAL ||
        !hm_gc_is_tracked(hm_gc_head_of(object)))
        return 0;
    object->mark = e->visited & 1;
    hm_gc_list_move(hm_gc_head_of(object), e->increment);
    e->size++;
    return 0;
}

/* @return how many there are in the increment, which starts with young */
static int64_t fill_increment(struct hm_mutator *m, struct hm_gc_head *increment) {
    struct hm_gc_head *pending = pending_space(m);
    struct expansion e = {.increment = increment, .visited = m->scavenge.visited};
    e.size = mark_list(increment, e.visited);
    while (e.size < m->scavenge.work && !hm_gc_list_empty(pending)) {
        struct hm_gc_head *head = hm_gc_next(pending);
        hm_gc_object_of(head)->mark = e.visited & 1;
        hm_gc_list_move(head, increment);
        e.size++;
        for (; head != increment; head = hm_gc_next(head))
            visit_all(hm_gc_object_of(head), visit_expand, &e);
    }
    return e.size;
}

/* The round ends. What is permanent keeps its mark, so that it is never drawn into an increment:
 * with some of it the marks of the others change, else what they mean (completed_scavenge). */
static void end_round(struct hm_mutator *m) {
    if (hm_gc_list_empty(&m->permanent)) {
        m->scavenge.visited ^= 1;
    } else {
        struct hm_gc_head *pending = pending_space(m);
        hm_gc_list_merge(visited_space(m), pending);
        mark_list(pending, m->scavenge.visited ^ 1);
    }
    m->scavenge.work = 0;
    m->scavenge.collecting = false;
}

static void add_stats(struct hm_mutator *m, int generation, struct outcome n) {
    m->stats[generation].collections++;
    m->stats[generation].collected += n.collected;
    m->stats[generation].uncollectable += n.uncollectable;
}

static struct outcome collect_young(struct hm_mutator *m) {
    struct hm_gc_head survivors;
    hm_gc_list_init(&survivors);
    mark_list(&m->generations[0].list, m->scavenge.visited);
    struct outcome n = collect_region(m, &m->generations[0].list, &survivors, NULL);
    hm_gc_list_merge(&survivors, visited_space(m));
    zero_count(m, 0);
    m->generations[1 + m->scavenge.visited].count++;
    add_stats(m, 0, n);
    return n;
}

static struct outcome collect_increment(struct hm_mutator *m) {
    struct hm_gc_head increment, survivors;
    m->scavenge.work += assess_work(m);
    zero_count(m, 0);
    if (!m->scavenge.collecting) {
        m->scavenge.collecting = true;
        return (struct outcome){0};
    }
    hm_gc_list_init(&increment);
    hm_gc_list_init(&survivors);
    hm_gc_list_merge(&m->generations[0].list, &increment);
    int64_t size = fill_increment(m, &increment);
    struct outcome n = collect_region(m, &increment, &survivors, NULL);
    hm_gc_list_merge(&survivors, visited_space(m));
    m->scavenge.work += heap_share(m) - size;
    add_stats(m, 1, n);
    if (hm_gc_list_empty(pending_space(m)))
        end_round(m);
    return n;
}

static struct outcome collect_all_spaces(struct hm_mutator *m) {
    struct hm_gc_head *visited = visited_space(m);
    hm_gc_list_merge(&m->generations[0].list, pending_space(m));
    mark_list(pending_space(m), m->scavenge.visited);
    hm_gc_list_merge(pending_space(m), visited);
    zero_count(m, 0);
    struct outcome n = collect_region(m, visited, visited, &m->guide);
    for (int i = 0; i < HM_GENERATIONS; i++)
        zero_count(m, i);
    end_round(m);
    add_stats(m, 2, n);
    return n;
}

static struct outcome collect_incrementally(struct hm_mutator *m, int generation) {
    return generation == 0   ? collect_young(m)
           : generation == 1 ? collect_increment(m)
                             : collect_all_spaces(m);
}

#endif
