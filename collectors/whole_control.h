/* The frame of a whole collection, and what a program may ask; for the .c files of collectors with a
 * `struct hm_whole`, which supply hm_whole_of(). */
#ifndef HM_COLLECTORS_WHOLE_CONTROL_H
#define HM_COLLECTORS_WHOLE_CONTROL_H

#include "collectors/safepoint.h"
#include "collectors/whole.h"

static inline struct hm_whole *hm_whole_of(struct hm_gc *gc);

/* What a collection has done. */
struct hm_whole_done {
    uint64_t visited;       /* objects looked at */
    uint64_t collected;     /* found unreachable, and freed */
    uint64_t uncollectable; /* found unreachable, and kept */
};

static inline void hm_whole_call(const struct hm_whole *whole, bool stop,
                                 const struct hm_whole_done *done) {
    if (whole->callback)
        whole->callback(whole->callback_arg, stop, HM_WHOLE, done->collected, done->uncollectable);
}

/* A pause begins when it is asked for: it includes the time until all are at a safepoint. */
static inline void hm_whole_stop(struct hm_whole *whole) {
    whole->events->pause_begin(whole->events->arg, HM_WHOLE);
    if (whole->stops)
        hm_mutators_stop();
    whole->paused = true;
}

static inline void hm_whole_resume(struct hm_whole *whole, const struct hm_whole_done *done) {
    whole->paused = false;
    if (whole->stops)
        hm_mutators_resume();
    whole->events->pause_end(whole->events->arg, HM_WHOLE, done->visited, done->collected);
}

/* Around what the program wrote, in the middle of a collection: where others run at the same time they go
 * on meanwhile, as it may wait for them. */
static inline void hm_whole_interrupt(struct hm_whole *whole) {
    if (whole->stops)
        hm_whole_resume(whole, &(struct hm_whole_done){0});
}

static inline void hm_whole_go_on(struct hm_whole *whole) {
    if (whole->stops)
        hm_whole_stop(whole);
}

static inline void hm_whole_begin(struct hm_whole *whole) {
    whole->collecting = true;
    hm_whole_call(whole, false, &(struct hm_whole_done){0});
    hm_whole_stop(whole);
}

static inline void hm_whole_end(struct hm_whole *whole, const struct hm_whole_done *done) {
    if (whole->paused)
        hm_whole_resume(whole, done);
    whole->stats.collections++;
    whole->stats.collected += done->collected;
    whole->stats.uncollectable += done->uncollectable;
    whole->visited += done->visited;
    hm_whole_call(whole, true, done);
    whole->collecting = false;
}

static inline void hm_whole_tell(const struct hm_whole *whole, struct hm_gc_stats *out) {
    out->collections[HM_WHOLE] = whole->stats.collections;
    out->collected = whole->stats.collected;
    out->visited = whole->visited;
}

static void hm_whole_enable(struct hm_gc *gc, bool automatic) {
    hm_whole_of(gc)->automatic = automatic;
}

static bool hm_whole_is_enabled(struct hm_gc *gc) {
    return hm_whole_of(gc)->automatic;
}

static void hm_whole_get_stats(struct hm_gc *gc, struct hm_gc_generation_stats out[3]) {
    memset(out, 0, 3 * sizeof *out);
    out[HM_WHOLE] = hm_whole_of(gc)->stats;
}

static void hm_whole_set_callback(struct hm_gc *gc, hm_gc_callback *callback, void *arg) {
    hm_whole_of(gc)->callback = callback;
    hm_whole_of(gc)->callback_arg = arg;
}

static bool hm_whole_is_finalized(struct hm_gc *gc, struct hm_object *object) {
    (void)gc;
    return object->finalized;
}

static const struct hm_gc_control hm_whole_control = {
    .enable = hm_whole_enable,
    .is_enabled = hm_whole_is_enabled,
    .get_stats = hm_whole_get_stats,
    .set_callback = hm_whole_set_callback,
    .is_finalized = hm_whole_is_finalized,
};

#endif
