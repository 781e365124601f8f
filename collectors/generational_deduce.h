/* Finding what is unreachable among the containers of one list: the three passes of CPython 3.11's
 * deduce_unreachable (Modules/gcmodule.c). For generational.c, which has the words.
 *
 * What takes time in a large heap is waiting for memory. The first pass takes samples of where the
 * objects and what they refer to lie, and the other two fetch both some objects ahead if they are
 * scattered: along the list, or by the guide where the list itself jumps about (generational_guide.h).
 * All visits stay in CPython's order. */
#ifndef HM_COLLECTORS_GENERATIONAL_DEDUCE_H
#define HM_COLLECTORS_GENERATIONAL_DEDUCE_H

#include "collectors/generational.h"

struct deduced {
    uint64_t examined;
    uint64_t unreachable;
};

/* What the passes walk along. */
struct trail {
    struct hm_gc_head *list;
    struct hm_gc_guide *guide; /* NULL: none is to be made */
    uint64_t size;
    struct scatter scatter;
    bool ahead; /* prefetching is worth while */
    bool exact; /* the guide is */
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* These are always inlined with a constant `visit`, so that an edge between slots is no call. */
ALWAYS_INLINE void visit_slots(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    struct hm_object **slots = hm_slots(object);
    for (uint32_t i = 0, n = object->length; i < n; i++)
        if (slots[i])
            visit(slots[i], arg);
}

typedef void visit_object_fn(struct hm_object *object, hm_visit_fn *visit, void *arg);

ALWAYS_INLINE void visit_all(struct hm_object *object, hm_visit_fn *visit, void *arg) {
    if (object->type->traverse)
        object->type->traverse(object, visit, arg);
    else
        visit_slots(object, visit, arg);
}

/* ---- Looking ahead along a list ---- */

/* Where a list goes on as it went: an allocator that hands out one block after the other. The
 * processor would see that by itself, were it not for all the other misses. */
static inline void prefetch_onward(const struct hm_gc_head *from, const struct hm_gc_head *to) {
    ptrdiff_t step = (const char *)to - (const char *)from;
    if (step <= STEP_BYTES && step >= -STEP_BYTES)
        prefetch_head((const struct hm_gc_head *)((uintptr_t)to + (uintptr_t)step * EDGES_AHEAD));
}

static inline struct hm_gc_lookahead start_ahead(const struct hm_gc_head *list) {
    return (struct hm_gc_lookahead){.list = list, .at = (struct hm_gc_head *)(uintptr_t)list};
}

/* Before an object is looked at. Two steps at most, so that it keeps ahead of a list that grows. */
static inline void look_ahead(struct hm_gc_lookahead *a) {
    for (int i = 0; i < 2 && a->distance < EDGES_AHEAD && hm_gc_next(a->at) != a->list; i++) {
        struct hm_gc_head *next = hm_gc_next(a->at);
        prefetch_onward(a->at, next);
        a->at = next;
        a->distance++;
        prefetch_edges(next);
    }
}

/* It has been looked at. @param stays what is now in front of the next one on the list */
static inline void step_on(struct hm_gc_lookahead *a, struct hm_gc_head *stays) {
    if (--a->distance == 0)
        a->at = stays;
}

/* ---- update_refs ---- */

/* The refs of a head, to begin with. */
static inline uintptr_t all_refs_of(struct hm_gc_head *head) {
    return (uintptr_t)hm_gc_object_of(head)->count << HM_GC_REFS_SHIFT | HM_GC_COLLECTING;
}

/* The same, if nothing has come to it yet. Before, it is not COLLECTING. */
static inline uintptr_t refs_of(struct hm_gc_head *head) {
    uintptr_t all = all_refs_of(head);
    return head->prev & HM_GC_COLLECTING ? head->prev : all;
}

static inline void take_sample(struct trail *trail, struct hm_gc_head *head) {
    if (hm_gc_next(head) != trail->list)
        sample(&trail->scatter, head, hm_gc_next(head));
}

/* @param done the list; or the last object that needs no more, and references of it have been
 *     subtracted */
static void update_refs(struct trail *trail, struct hm_gc_head *done) {
    bool begun = done != trail->list;
    for (struct hm_gc_head *h = hm_gc_next(done); h != trail->list; h = hm_gc_next(h)) {
        h->prev = begun ? refs_of(h) : all_refs_of(h);
        if (trail->size++ % SAMPLE_OBJECTS == 0)
            take_sample(trail, h);
    }
}

/* The same with an old guide, which becomes exact. What is on it and not on the list any more is
 * passed over: four for each object that is not found, until the two meet again. */
static void update_refs_guided(struct trail *trail) {
    struct hm_gc_guide *guide = trail->guide;
    struct hm_gc_head **heads = guide->heads;
    size_t from = 0, length = guide->length;
    uint64_t size = 0;
    for (struct hm_gc_head *h = hm_gc_next(trail->list); h != trail->list; h = hm_gc_next(h)) {
        for (int i = 0; i < 4 && from < length && heads[from] != h; i++)
            from++;
        if (from < length && heads[from] == h)
            from++;
        if (from + FETCH_AHEAD < length)
            prefetch_head(heads[from + FETCH_AHEAD]);
        h->prev = all_refs_of(h);
        if (size % SAMPLE_OBJECTS == 0)
            take_sample(trail, h);
        if (size < guide->capacity)
            heads[size] = h;
        size++;
    }
    trail->size = size;
    trail->exact = size <= guide->capacity;
    guide->length = trail->exact ? size : 0;
}

/* What the samples say. */
static void settle(struct trail *trail, const struct hm_memory *memory) {
    trail->ahead = jumps_about(&trail->scatter);
    if (!trail->guide || (trail->exact && trail->ahead))
        return;
    trail->exact = false;
    if (!trail->ahead)
        hm_gc_guide_drop(trail->guide, memory);
    if (!trail->ahead || !hm_gc_guide_make(trail->guide, memory, trail->size))
        trail->guide = NULL;
}

/* ---- subtract_refs ---- */

static inline int visit_subtract(struct hm_object *object, void *arg) {
    (void)arg;
    if (object->leaf)
        return 0;
    struct hm_gc_head *head = hm_gc_head_of(object);
    if (head->prev & HM_GC_COLLECTING)
        head->prev -= (uintptr_t)1 << HM_GC_REFS_SHIFT;
    return 0;
}

/* @param visit_object visit_all, or visit_slots where that is the same */
ALWAYS_INLINE void subtract_refs(struct hm_gc_head *list, struct hm_gc_head *done,
                                 visit_object_fn *visit_object) {
    for (struct hm_gc_head *h = hm_gc_next(done); h != list; h = hm_gc_next(h))
        visit_object(hm_gc_object_of(h), visit_subtract, NULL);
}

ALWAYS_INLINE void subtract_refs_ahead(struct hm_gc_head *list, struct hm_gc_head *done,
                                       visit_object_fn *visit_object) {
    struct hm_gc_lookahead ahead = {.list = list, .at = done};
    for (struct hm_gc_head *h = hm_gc_next(done); h != list; h = hm_gc_next(h)) {
        look_ahead(&ahead);
        visit_object(hm_gc_object_of(h), visit_subtract, NULL);
        step_on(&ahead, h);
    }
}

/* By an exact guide: all that is ahead on it is on the list. */
static inline void fetch_guided(struct hm_gc_head *const *heads, size_t i, size_t length) {
    if (i + FETCH_AHEAD < length)
        prefetch_head(heads[i + FETCH_AHEAD]);
    if (i + EDGES_AHEAD < length)
        prefetch_edges(heads[i + EDGES_AHEAD]);
}

static void subtract_refs_guided(const struct hm_gc_guide *guide) {
    for (size_t i = 0; i < guide->length; i++) {
        fetch_guided(guide->heads, i, guide->length);
        visit_all(hm_gc_object_of(guide->heads[i]), visit_subtract, NULL);
    }
}

/* ---- Both in one ---- */

/* The head of an untracked object has itself for prev. @param arg whether there may be any */
static inline int visit_update(struct hm_object *object, void *arg) {
    const bool *untracks = arg;
    struct hm_gc_head *head = hm_gc_head_of(object);
    if (!object->leaf && !(*untracks && head->prev == (uintptr_t)head))
        head->prev = refs_of(head) - ((uintptr_t)1 << HM_GC_REFS_SHIFT);
    return 0;
}

/* The objects behind one that is done, up to the next one that is sampled. @return the last one */
ALWAYS_INLINE struct hm_gc_head *update_some(struct trail *trail, struct hm_gc_head *done,
                                             visit_object_fn *visit_object, bool untracks) {
    struct hm_gc_head *h = hm_gc_next(done);
    uint64_t size = 0;
    for (; size < SAMPLE_OBJECTS && h != trail->list; size++, h = hm_gc_next(h)) {
        h->prev = refs_of(h);
        visit_object(hm_gc_object_of(h), visit_update, &untracks);
        done = h;
    }
    trail->size += size;
    return done;
}

/* Where the list has all containers that are tracked, no reference leads to one that is not on it; so
 * the count of each can be copied when the first reference to it is found, and one pass does for both. Not
 * where the objects are scattered: two passes, of which the first one goes through memory in order,
 * are faster there.
 * @return the last one that was looked at; scattered are those behind it */
ALWAYS_INLINE struct hm_gc_head *update_and_subtract(struct trail *trail,
                                                     visit_object_fn *visit_object, bool untracks) {
    struct hm_gc_head *done = trail->list;
    while (hm_gc_next(done) != trail->list && !jumps_about(&trail->scatter)) {
        take_sample(trail, hm_gc_next(done));
        done = update_some(trail, done, visit_object, untracks);
    }
    return done;
}

/* ---- move_unreachable ---- */

#define NO_REFS HM_GC_COLLECTING
#define ONE_REF ((uintptr_t)1 << HM_GC_REFS_SHIFT | HM_GC_COLLECTING)

/* Whatever a reachable object refers to is reachable. COLLECTING is off for other generations, and
 * for what move_unreachable has passed and kept. */
static inline int visit_reachable(struct hm_object *object, void *arg) {
    struct hm_gc_head *young = arg;
    if (object->leaf)
        return 0;
    struct hm_gc_head *head = hm_gc_head_of(object);
    if (head->prev == NO_REFS) {
        head->prev = ONE_REF;
    } else if (head->prev & HM_GC_COLLECTING && head->next & HM_GC_UNREACHABLE) {
        hm_gc_prev(head)->next = head->next; /* the list of the unreachable has the flag in all */
        hm_gc_set_prev(hm_gc_next(head), hm_gc_prev(head));
        hm_gc_list_append(young, head);
        head->prev = ONE_REF;
    }
    return 0;
}

/* The head goes from behind `prev` to the end of the unreachable, for the time being. */
static void set_aside(struct hm_gc_head *prev, struct hm_gc_head *head,
                      struct hm_gc_head *unreachable) {
    struct hm_gc_head *last = hm_gc_prev(unreachable);
    prev->next = head->next;
    last->next = (uintptr_t)head | HM_GC_UNREACHABLE;
    hm_gc_set_prev(head, last);
    head->next = (uintptr_t)unreachable | HM_GC_UNREACHABLE;
    unreachable->prev = (uintptr_t)head;
}

/* What the head after `prev` comes to. @return whether it stays */
ALWAYS_INLINE bool move_one(struct hm_gc_head *prev, struct hm_gc_head *head,
                            struct hm_gc_head *young, struct hm_gc_head *unreachable,
                            visit_object_fn *visit_object) {
    if (head->prev >> HM_GC_REFS_SHIFT == 0) {
        set_aside(prev, head, unreachable);
        return false;
    }
    visit_object(hm_gc_object_of(head), visit_reachable, young);
    head->prev = (uintptr_t)prev;
    return true;
}

/* Before: all of young is COLLECTING, with refs for prev. After: young is doubly linked again, without
 * COLLECTING; unreachable has the rest, COLLECTING and UNREACHABLE, in the order of young but for
 * what came back. @return how many stayed in young */
ALWAYS_INLINE uint64_t move_unreachable(struct hm_gc_head *young, struct hm_gc_head *unreachable,
                                        visit_object_fn *visit_object) {
    uint64_t stayed = 0;
    struct hm_gc_head *prev = young;
    for (struct hm_gc_head *h = hm_gc_next(young); h != young; h = hm_gc_next(prev)) {
        if (!move_one(prev, h, young, unreachable, visit_object))
            continue;
        prev = h;
        stayed++;
    }
    young->prev = (uintptr_t)prev;
    return stayed;
}

/* The same, looking ahead. If there is a guide, what stays is noted in the place of what has been
 * passed: so it has what is young in the end. What came back to young is behind the end of the guide,
 * and looked ahead at along the list. */
static uint64_t move_unreachable_ahead(struct hm_gc_head *young, struct hm_gc_head *unreachable,
                                       struct hm_gc_guide *guide) {
    uint64_t stayed = 0;
    struct hm_gc_head *prev = young, **heads = guide ? guide->heads : NULL;
    size_t i = 0, length = guide ? guide->length : 0;
    struct hm_gc_lookahead ahead = start_ahead(young);
    for (struct hm_gc_head *h = hm_gc_next(young); h != young; h = hm_gc_next(prev)) {
        if (i < length)
            fetch_guided(heads, i, length);
        else
            look_ahead(&ahead);
        bool stays = move_one(prev, h, young, unreachable, visit_all);
        prev = stays ? h : prev;
        if (i++ < length)
            ahead.at = prev;
        else
            step_on(&ahead, prev);
        if (!stays)
            continue;
        if (heads)
            heads[stayed] = prev;
        stayed++;
    }
    if (guide)
        guide->length = stayed;
    young->prev = (uintptr_t)prev;
    return stayed;
}

/* ---- All of it ---- */

/* What update_refs has passed. @param done the list, or the last object that needs no more */
static void subtract_rest(struct hm_mutator *m, struct trail *trail, struct hm_gc_head *done) {
    settle(trail, &m->rc.memory);
    if (trail->exact)
        subtract_refs_guided(trail->guide);
    else if (trail->ahead && m->special)
        subtract_refs_ahead(trail->list, done, visit_all);
    else if (trail->ahead)
        subtract_refs_ahead(trail->list, done, visit_slots);
    else if (m->special)
        subtract_refs(trail->list, done, visit_all);
    else
        subtract_refs(trail->list, done, visit_slots);
}

/* Leaves in all refs what is held from outside. @param whole whether nothing else is tracked */
static void find_refs(struct hm_mutator *m, struct trail *trail, bool whole) {
    struct hm_gc_head *done = trail->list;
    if (trail->guide && trail->guide->length) {
        update_refs_guided(trail);
    } else {
        if (whole)
            done = m->special || m->untracks ? update_and_subtract(trail, visit_all, true)
                                             : update_and_subtract(trail, visit_slots, false);
        update_refs(trail, done);
    }
    subtract_rest(m, trail, done);
}

static void clear_unreachable_flag(struct hm_gc_head *list) {
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h))
        h->next &= ~HM_GC_UNREACHABLE;
}

/* Leaves in `list` what is reachable from outside of it; the rest goes to `unreachable`, where each has
 * the flag UNREACHABLE.
 * @param guide NULL, or of the list after the last collection that had it; then there are no other
 *     containers but permanent ones */
static struct deduced deduce_unreachable(struct hm_mutator *m, struct hm_gc_head *list,
                                         struct hm_gc_head *unreachable,
                                         struct hm_gc_guide *guide) {
    struct trail trail = {.list = list, .guide = guide};
    hm_gc_list_init(unreachable);
    find_refs(m, &trail, guide && hm_gc_list_empty(&m->permanent));
    uint64_t stayed = trail.ahead  ? move_unreachable_ahead(list, unreachable, trail.guide)
                      : m->special ? move_unreachable(list, unreachable, visit_all)
                                   : move_unreachable(list, unreachable, visit_slots);
    unreachable->next &= ~HM_GC_UNREACHABLE;
    return (struct deduced){.examined = trail.size, .unreachable = trail.size - stayed};
}

#endif
