/* What a program may ask of `generational` while it runs. */
#define HM_COLLECTOR_HEADER "collectors/generational.h"
#include "collectors/generational_control.h"

#include "collectors/generational_count.h"

enum {
    PERMANENT = HM_GENERATIONS,
};

void hm_generational_set_limit(struct hm_mutator *m) {
    int64_t first = m->generations[0].threshold;
    m->limit = m->automatic && first ? first : INT64_MAX;
}

/* ---- When it collects ---- */

/* Generation 2 of an incremental collector has no count, as in CPython 3.14. */
static void get_count(struct hm_gc *gc, int64_t out[3]) {
    const struct hm_mutator *m = &gc->mutator;
    for (int i = 0; i < HM_GENERATIONS; i++)
        out[i] = m->generations[i].count;
    if (m->policy == HM_POLICY_INCREMENTAL) {
        out[1] = m->generations[1 + m->scavenge.visited].count;
        out[2] = 0;
    }
}

static void get_threshold(struct hm_gc *gc, int64_t out[3]) {
    for (int i = 0; i < HM_GENERATIONS; i++)
        out[i] = gc->mutator.generations[i].threshold;
}

static void set_threshold(struct hm_gc *gc, const int64_t thresholds[3]) {
    for (int i = 0; i < HM_GENERATIONS; i++)
        gc->mutator.generations[i].threshold = thresholds[i];
    hm_generational_set_limit(&gc->mutator);
}

static void enable(struct hm_gc *gc, bool automatic) {
    gc->mutator.automatic = automatic;
    hm_generational_set_limit(&gc->mutator);
}

static bool is_enabled(struct hm_gc *gc) {
    return gc->mutator.automatic;
}

/* ---- What it looks at ---- */

static void freeze(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    for (int i = 0; i < HM_GENERATIONS; i++) {
        mark_list(&m->generations[i].list, m->scavenge.visited);
        hm_gc_list_merge(&m->generations[i].list, &m->permanent);
        zero_count(m, i);
    }
}

/* Immortal containers come back with the frozen ones, and the next collection has to find them. */
static void unfreeze(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    m->rc.immortal_containers = 0;
    for (struct hm_rc_note *note = m->rc.immortals; note; note = note->older)
        m->rc.immortal_containers += !note->object->leaf;
    bool increments = m->policy == HM_POLICY_INCREMENTAL;
    hm_gc_list_merge(&m->permanent, increments ? visited_space(m) : &m->generations[2].list);
}

static uint64_t freeze_count(struct hm_gc *gc) {
    return hm_gc_list_size(&gc->mutator.permanent);
}

static bool has(const struct hm_gc_head *list, const struct hm_gc_head *head) {
    for (struct hm_gc_head *h = hm_gc_next(list); h != list; h = hm_gc_next(h))
        if (h == head)
            return true;
    return false;
}

static int generation_of(struct hm_gc *gc, struct hm_object *object) {
    const struct hm_mutator *m = &gc->mutator;
    if (object->leaf)
        return -1;
    const struct hm_gc_head *head = hm_gc_head_of(object);
    for (int i = 0; i < HM_GENERATIONS; i++)
        if (has(&m->generations[i].list, head))
            return i && m->policy == HM_POLICY_INCREMENTAL ? 2 : i;
    return has(&m->permanent, head) ? PERMANENT : -1;
}

static bool is_finalized(struct hm_gc *gc, struct hm_object *object) {
    (void)gc;
    return object->finalized;
}

/* ---- What it found ---- */

static void get_stats(struct hm_gc *gc, struct hm_gc_generation_stats out[3]) {
    memcpy(out, gc->mutator.stats, sizeof gc->mutator.stats);
}

static void save_all(struct hm_gc *gc, bool all) {
    gc->mutator.saves_all = all;
}

static uint64_t garbage_count(struct hm_gc *gc) {
    return gc->mutator.garbage_count;
}

static struct hm_object *pop_garbage(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    struct hm_rc_note *newest = m->garbage;
    if (!newest)
        return NULL;
    struct hm_object *object = newest->object;
    m->garbage = newest->older;
    m->garbage_count--;
    hm_free(&m->rc.memory, newest);
    return object;
}

static void set_callback(struct hm_gc *gc, hm_gc_callback *callback, void *arg) {
    gc->mutator.callback = callback;
    gc->mutator.callback_arg = arg;
}

const struct hm_gc_control hm_generational_control = {
    .get_count = get_count,
    .get_threshold = get_threshold,
    .set_threshold = set_threshold,
    .enable = enable,
    .is_enabled = is_enabled,
    .freeze = freeze,
    .unfreeze = unfreeze,
    .freeze_count = freeze_count,
    .get_stats = get_stats,
    .save_all = save_all,
    .garbage_count = garbage_count,
    .set_callback = set_callback,
    .generation_of = generation_of,
    .is_finalized = is_finalized,
    .pop_garbage = pop_garbage,
};
