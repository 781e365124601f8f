/* What the collectors that count references have in common: the mutator's operations. rc_death.h has
 * the rest, which is not inlined into workloads.
 *
 * Words
 *   immortal    not freed before close. Its count has the bit HM_IMMORTAL on top of the references.
 *   free list   dead objects of one type, linked through their first word, for the next hm_new.
 *
 * Invariant: `count` of a live object, without that bit, is the number of slots and variables that own
 * a reference to it. They are less than 2^31: as many slots would fill 16 GiB. So neither counting up
 * nor counting down ever changes the bit, an immortal's count never falls to 0, and no operation has
 * to ask whether an object is immortal.
 *
 * A collector puts a `struct hm_rc rc` into its mutator, and supplies hm_rc_dead() and
 * hm_immortalize(), which is hm_rc_immortalize(). One whose mutators run at the same time counts in its
 * own way: it defines HM_RC_COUNTING before it includes this file, and behind that what is declared
 * under "Counting". */
#ifndef HM_COLLECTORS_RC_H
#define HM_COLLECTORS_RC_H

#include "collectors/collector.h"
#include "collectors/own_objects.h"
#include "collectors/safepoint.h"
#include "collectors/untraced.h"
#include "collectors/weak.h"

#define HM_IMMORTAL (1u << 31)

/* An object that is remembered. */
struct hm_rc_note {
    struct hm_rc_note *older;
    struct hm_object *object;
};

struct hm_free_list {
    void *first;
    const struct hm_type *type; /* of all that are on it */
    unsigned length;
};

struct hm_rc {
    struct hm_memory memory;
    uint64_t allocated_objects;
    uint64_t allocated_bytes;
    uint64_t freed_objects;
    uint64_t freed_bytes;
    struct hm_rc_note *immortals;
    uint64_t immortal_containers; /* of these; a collector may set it back */
    struct hm_free_list free_lists[HM_FREE_LISTS];
};

static inline struct hm_free_list *hm_rc_free_list(struct hm_rc *rc, const struct hm_type *type) {
    return &rc->free_lists[type->free_list - 1];
}

/** @return the block of an object that died not long ago, or NULL: none of the type is kept */
static inline void *hm_rc_reuse(struct hm_rc *rc, const struct hm_type *type) {
    struct hm_free_list *list = hm_rc_free_list(rc, type);
    void *block = list->first;
    if (block) {
        memcpy(&list->first, block, sizeof list->first);
        list->length--;
    }
    return block;
}

/** Remember an object, at the head of a list. @return false with ENOMEM */
static inline bool hm_rc_remember(struct hm_rc *rc, struct hm_rc_note **list,
                                  struct hm_object *object) {
    struct hm_rc_note *note = hm_malloc(&rc->memory, sizeof *note);
    if (!note)
        return false;
    *note = (struct hm_rc_note){.older = *list, .object = object};
    *list = note;
    return true;
}

/** What a mutator has counted since open. */
static inline void hm_rc_add_stats(struct hm_gc_stats *sum, const struct hm_rc *rc) {
    sum->allocated_objects += rc->allocated_objects;
    sum->allocated_bytes += rc->allocated_bytes;
    sum->freed_objects += rc->freed_objects;
    sum->freed_bytes += rc->freed_bytes;
}

/* ---- Counting ---- */

/** One reference more, or less. @return whether it was the last one */
static inline void hm_rc_count_up(struct hm_mutator *m, struct hm_object *object);
static inline bool hm_rc_count_down(struct hm_mutator *m, struct hm_object *object);
/** A dead object gets one reference, for the time of its finalizer: nobody else knows it. */
static inline void hm_rc_count_anew(struct hm_mutator *m, struct hm_object *object);
/** References to an object that lives, as long as no other mutator runs; for tests and scripts. */
static inline uint32_t hm_rc_count(const struct hm_object *object);
static inline bool hm_rc_is_immortal(const struct hm_object *object);
/** @return whether it was mortal until now */
static inline bool hm_rc_make_immortal(struct hm_object *object);

#ifndef HM_RC_COUNTING
static inline void hm_rc_count_up(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    object->count++;
}

static inline bool hm_rc_count_down(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    return --object->count == 0;
}

static inline void hm_rc_count_anew(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    object->count = 1;
}

static inline uint32_t hm_rc_count(const struct hm_object *object) {
    return object->count;
}

static inline bool hm_rc_is_immortal(const struct hm_object *object) {
    return object->count & HM_IMMORTAL;
}

static inline bool hm_rc_make_immortal(struct hm_object *object) {
    object->count |= HM_IMMORTAL;
    return true;
}
#endif

/** For hm_immortalize. The note comes first: what is marked must be found at close, and once. */
static inline bool hm_rc_immortalize(struct hm_rc *rc, struct hm_object *object) {
    if (hm_rc_is_immortal(object))
        return true;
    if (!hm_rc_remember(rc, &rc->immortals, object))
        return false;
    if (hm_rc_make_immortal(object)) {
        rc->immortal_containers += !object->leaf;
    } else {
        struct hm_rc_note *note = rc->immortals;
        rc->immortals = note->older;
        hm_free(&rc->memory, note);
    }
    return true;
}

/* ---- The mutator's operations ---- */

/** The last reference to an object went: hm_rc_bury() it, out of line. */
static inline void hm_rc_dead(struct hm_mutator *m, struct hm_object *object);

/* What else is to be done when an object has got one more reference, has lost one and lives on, or is
 * about to be stored by hm_init_store: a collector that wants to know defines all before it includes
 * this file. */
#ifndef HM_RC_GAINED
#define HM_RC_GAINED(m, object)             ((void)0)
#define HM_RC_OUTLIVED(m, object)           ((void)0)
#define HM_RC_HANDED_OVER(m, object, value) ((void)0)
#endif

static inline void hm_retain(struct hm_mutator *m, struct hm_object *object) {
    if (!object)
        return;
    hm_rc_count_up(m, object);
    HM_RC_GAINED(m, object);
}

/** One reference less. @return whether it was the last one */
static inline bool hm_rc_lose(struct hm_mutator *m, struct hm_object *object) {
    if (hm_rc_count_down(m, object))
        return true;
    HM_RC_OUTLIVED(m, object);
    return false;
}

static inline void hm_release(struct hm_mutator *m, struct hm_object *object) {
    if (object && hm_rc_lose(m, object))
        hm_rc_dead(m, object);
}

static inline void hm_init_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                                 struct hm_object *value) {
    (void)m;
    HM_RC_HANDED_OVER(m, object, value);
    hm_slots(object)[slot] = value;
}

static inline void hm_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value) {
    struct hm_object *old = hm_slots(object)[slot];
    hm_retain(m, value);
    hm_slots(object)[slot] = value;
    hm_release(m, old);
}

#define HM_DISPOSES 0

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

#endif
