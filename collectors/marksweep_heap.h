/* What the mutators of `marksweep` share, and the ways through what each has; for marksweep.c. */
#ifndef HM_COLLECTORS_MARKSWEEP_HEAP_H
#define HM_COLLECTORS_MARKSWEEP_HEAP_H

#include "collectors/marksweep.h"
#include "collectors/whole_control.h"

struct hm_gc {
    struct hm_memory memory;
    uint64_t heap_factor;
    uint64_t min_bytes;
    unsigned announced;
    pthread_mutex_t right; /* to collect; and of what follows */
    uint32_t epoch;
    struct hm_whole whole;
    uint64_t freed_objects;
    uint64_t freed_bytes;
    pthread_mutex_t lock; /* of what follows, and of `attached` of mutators */
    uint64_t room_bytes;
    uint64_t share_bytes;
    struct hm_log immortals;
    struct hm_mutator mutators[]; /* all that were announced */
};

static inline struct hm_whole *hm_whole_of(struct hm_gc *gc) {
    return &gc->whole;
}

static struct hm_mutator *mutators_end(struct hm_gc *gc) {
    return gc->mutators + gc->announced;
}

static bool is_marked(const struct hm_gc *gc, const struct hm_object *object) {
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a log has none */
    return object->count == gc->epoch;
}

static bool has_lost_root(const struct hm_mutator *m) {
    return m->roots_used > m->roots_capacity;
}

static bool has_any_lost_root(struct hm_gc *gc) {
    for (struct hm_mutator *m = gc->mutators; m < mutators_end(gc); m++)
        if (has_lost_root(m))
            return true;
    return false;
}

/* ---- All that is special ---- */

/* A way through the logs `special` of all mutators. */
struct walk {
    struct hm_mutator *m, *end;
    struct hm_log_place at;
    bool found; /* only what was in them when garbage was found, so that they may grow */
};

static void walk_into(struct walk *w) {
    w->at = (struct hm_log_place){0};
    if (w->m < w->end && (!w->found || w->m->special_end))
        w->at = hm_log_start(&w->m->special);
}

static struct walk start_walk(struct hm_gc *gc, bool found) {
    struct walk w = {.m = gc->mutators, .end = mutators_end(gc), .found = found};
    walk_into(&w);
    return w;
}

/* @return NULL: that was all */
static struct hm_object *next_special(struct walk *w) {
    for (; w->m < w->end; w->m++, walk_into(w)) {
        struct hm_object *object = NULL;
        if (w->at.page)
            object = w->found ? hm_log_get_before(&w->at, w->m->special_end)
                              : hm_log_get(&w->m->special, &w->at);
        if (object) {
            w->at.at++;
            return object;
        }
    }
    return NULL;
}

#endif
