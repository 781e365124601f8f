/* Biased counting, the cold half: merging the two counts of an object, and the queues in which objects wait for
 * it. For the .c files, behind rc_death.h and refcount_several.h.
 *
 * A thread that ends gives up its objects: it closes its queue, and from then on whoever would put an object
 * there merges it. */
#ifndef HM_COLLECTORS_BIASED_QUEUE_H
#define HM_COLLECTORS_BIASED_QUEUE_H

#include "collectors/biased.h"
#include "collectors/rc_death.h"
#include "collectors/refcount_several.h"

/* In the place of a queue's first object: closed. */
static struct hm_object closed;

static uint64_t state_of(uint64_t word) {
    return word & HM_BIASED_STATE;
}

/* ---- Merging ---- */

/* The local count is added to the shared one. By the owner, or by who found its queue closed.
 *
 * The local count is taken before the word changes: after that another thread may free the object.
 * Release: what the owner did to the object comes before its end, which another thread may find to be
 * due; acquire: if it is due now, it comes after what the others did. */
static bool merge(struct hm_object *object) {
    struct hm_biased *front = hm_biased_of(object);
    uint64_t next, word = hm_biased_word(object);
    int64_t local = (int32_t)object->count;
    object->count = 0;
    do {
        if (state_of(word) == HM_BIASED_IMMORTAL)
            return false;
        next = (uint64_t)(hm_biased_shared(word) + local) << HM_BIASED_SHIFT | HM_BIASED_MERGED;
    } while (!__atomic_compare_exchange_n(&front->word, &word, next, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return next == HM_BIASED_MERGED;
}

/* While nobody else has a reference, the word stays as it is: nobody can change it any more. The loads
 * acquire, as the end comes after what others did that have had one. A queued object is left to its
 * merging; until then its local count may go below 0. */
bool HM_BIASED(end_local)(struct hm_object *object) {
    struct hm_biased *front = hm_biased_of(object);
    uint64_t next, word = __atomic_load_n(&front->word, __ATOMIC_ACQUIRE);
    do {
        if (state_of(word) != HM_BIASED_OWNED)
            return false;
        if (hm_biased_shared(word) == 0)
            return true;
        next = (word & ~(HM_BIASED_OWNER | HM_BIASED_STATE)) | HM_BIASED_MERGED;
    } while (!__atomic_compare_exchange_n(&front->word, &word, next, true, __ATOMIC_RELEASE,
                                          __ATOMIC_ACQUIRE));
    return false;
}

/* ---- The queue ---- */

/* Hand a queued object over to its owner; we are the only one that does, and it can not be freed
 * before. Release: the link is there before the object. Acquire, if it is closed: the owner's last
 * change to the local count came before that. @return whether the object is dead */
static bool enqueue(const struct hm_gc *gc, struct hm_object *object, unsigned number) {
    struct hm_mutator *owner = hm_several_find(gc, number);
    struct hm_object *first = __atomic_load_n(&owner->queue, __ATOMIC_ACQUIRE);
    do {
        if (first == &closed)
            return merge(object);
        hm_biased_of(object)->next = first;
    } while (!__atomic_compare_exchange_n(&owner->queue, &first, object, true, __ATOMIC_RELEASE,
                                          __ATOMIC_ACQUIRE));
    return false;
}

/* Release and acquire: as in refcount_atomic.h. */
bool HM_BIASED(drop_shared)(struct hm_mutator *m, struct hm_object *object) {
    struct hm_biased *front = hm_biased_of(object);
    uint64_t next, word = hm_biased_word(object);
    bool queued;
    do {
        if (state_of(word) == HM_BIASED_IMMORTAL)
            return false;
        next = word - HM_BIASED_ONE;
        queued = state_of(word) == HM_BIASED_OWNED && hm_biased_shared(next) < 0;
        next |= queued ? HM_BIASED_QUEUED : 0;
    } while (!__atomic_compare_exchange_n(&front->word, &word, next, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    if (queued)
        return enqueue(m->gc, object, (unsigned)(word & HM_BIASED_OWNER));
    if (next != HM_BIASED_MERGED)
        return false;
    (void)__atomic_load_n(&front->word, __ATOMIC_ACQUIRE);
    return true;
}

/* What is taken from the queue is the mutator's own, and merged one after the other: an object that dies
 * may come to a safepoint, in its finalizer, from where this is called again. Acquire: the links were
 * written before. */
void HM_BIASED(drain)(struct hm_mutator *m) {
    for (;;) {
        if (!m->draining)
            m->draining = __atomic_exchange_n(&m->queue, NULL, __ATOMIC_ACQUIRE);
        struct hm_object *object = m->draining;
        if (!object)
            return;
        m->draining = hm_biased_of(object)->next;
        if (merge(object))
            hm_rc_bury(m, object);
    }
}

/* For the end of a mutator. The queue is closed when it is empty: as long as we merge and bury, our local counts are ours. Release:
 * they are what others will find. */
static void end_queue(struct hm_mutator *m) {
    struct hm_object *nothing;
    do {
        HM_BIASED(drain)(m);
        nothing = NULL;
    } while (!__atomic_compare_exchange_n(&m->queue, &nothing, &closed, false, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

#endif
