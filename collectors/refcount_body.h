/* The cold half of `refcount`, whichever way it counts: how objects die, and what is told of it. For the
 * .c files, after the header of the same name. */
#ifndef HM_COLLECTORS_REFCOUNT_BODY_H
#define HM_COLLECTORS_REFCOUNT_BODY_H

#include "collectors/rc_death.h"

/* The way of counting is compiled in, as a variant (collector.h). */
static const struct hm_param hm_refcount_params[] = {
    {.name = "count",
     .unit = "",
     .help =
         "counts are changed plainly, by one thread at a time; by atomic operations; or plainly by "
         "the thread that made the object and atomically by the others",
     .kind = HM_PARAM_CHOICE,
     .initial = 0,
     .choices = "plain|atomic|biased"},
    {.name = NULL},
};

static inline void hm_rc_will_finalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

static inline void hm_rc_forget(struct hm_mutator *m, struct hm_object *object) {
    m->rc.freed_objects++;
    m->rc.freed_bytes += hm_refcount_bytes(object->type, object->length);
}

static inline void hm_rc_free(struct hm_mutator *m, struct hm_object *object) {
    void *block = hm_refcount_block(object);
    if (!hm_rc_keep(&m->rc, object->type, block))
        hm_free(&m->rc.memory, block);
}

void HM_REFCOUNT(bury)(struct hm_mutator *m, struct hm_object *object) {
    hm_rc_bury(m, object);
}

static bool hm_refcount_keeps_nothing(const struct hm_rc *rc) {
    for (int i = 0; i < HM_FREE_LISTS; i++)
        if (rc->free_lists[i].length)
            return false;
    return true;
}

/** Free the dead that wait for it. @return whether there were any */
static inline bool hm_refcount_reclaim(struct hm_mutator *m);

struct hm_object *HM_REFCOUNT(retry)(struct hm_mutator *m, const struct hm_type *type,
                                     uint32_t length) {
    bool reclaimed = hm_refcount_reclaim(m);
    if (!reclaimed && hm_refcount_keeps_nothing(&m->rc))
        return NULL;
    hm_rc_empty_free_lists(&m->rc);
    return hm_refcount_new(m, type, length);
}

/** Free all that a mutator can find, but for its own structure. */
static inline void hm_refcount_close(struct hm_rc *rc) {
    hm_rc_empty_free_lists(rc);
    for (struct hm_rc_note *note = rc->immortals; note; note = note->older)
        hm_free(&rc->memory, hm_refcount_block(note->object));
    hm_rc_forget_notes(&rc->memory, rc->immortals);
}

static inline void hm_refcount_add_stats(struct hm_gc_stats *sum, const struct hm_rc *rc) {
    hm_rc_add_stats(sum, rc);
    sum->header_bytes = HM_REFCOUNT_FRONT_BYTES + sizeof(struct hm_object);
}

#endif
