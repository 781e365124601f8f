/* Biased counting, the mutator's half: an object's references are counted plainly by the thread
 * that made it, its owner, and atomically by all others.
 *
 * Vocabulary
 *   local    the count that the owner changes: `count` of the header. Signed.
 *   shared   the count that the others change, in a word in front of the header, with the object's
 *            state and its owner's number. Signed: who releases what the owner has retained takes it
 *            below 0
 *   merged   of an object without owner, whose local count was added to the shared one
 *
 * States
 *   OWNED      shared is at least 0
 *   QUEUED     its shared count fell below 0: it is in its owner's queue, or about to be. Nobody frees
 *              it before it is taken from there and merged
 *   MERGED     it has no owner; it is dead when shared is 0
 *   IMMORTAL   neither count is looked at, or written but by who has not seen it yet
 *
 * Invariants
 *   local + shared is the number of references, in each state but IMMORTAL.
 *   `count` is written by the owner only; by whoever merges, once the owner has ended.
 *   The word changes from OWNED or QUEUED to MERGED in one step with the owner's number, and never back.
 *
 * Sources: Choi, Shull and Torrellas, Biased Reference Counting, PACT 2018; CPython 3.13, free-threaded
 * build, Objects/object.c (_Py_DecRefSharedIsDead, _Py_MergeZeroLocalRefcount) and Python/brc.c. There the
 * owner is in a word of its own, and the queue is an array that can fail to grow.
 *
 * Included by the header of each collector that counts so, behind `struct hm_mutator`, which has `number`, `queue`
 * and `draining`. It has defined HM_RC_COUNTING before rc.h, and HM_BIASED(name), the names of its functions. */
#ifndef HM_COLLECTORS_BIASED_H
#define HM_COLLECTORS_BIASED_H

#include "collectors/rc.h"

/* In front of the header. */
struct hm_biased {
    struct hm_object *next; /* in the queue */
    uint64_t word;          /* from the lowest bit: owner, state, shared. Atomic */
};

#define HM_BIASED_OWNER    UINT64_C(0xFFFF)
#define HM_BIASED_STATE    (UINT64_C(3) << 16)
#define HM_BIASED_OWNED    (UINT64_C(0) << 16)
#define HM_BIASED_QUEUED   (UINT64_C(1) << 16)
#define HM_BIASED_MERGED   (UINT64_C(2) << 16)
#define HM_BIASED_IMMORTAL (UINT64_C(3) << 16)
#define HM_BIASED_SHIFT    18
#define HM_BIASED_ONE      (UINT64_C(1) << HM_BIASED_SHIFT)

/** Slow paths of counting down: the local count of an object of ours fell to 0; one less of the shared
 *  count. @return whether the object is dead */
bool HM_BIASED(end_local)(struct hm_object *object);
bool HM_BIASED(drop_shared)(struct hm_mutator *m, struct hm_object *object);
/** Slow path of hm_safepoint: merge what is in the queue, and bury what is dead. */
void HM_BIASED(drain)(struct hm_mutator *m);

static inline struct hm_biased *hm_biased_of(const struct hm_object *object) {
    return (struct hm_biased *)(uintptr_t)object - 1;
}

/* Relaxed: a mutator's number is written there by itself, and taken away by itself, or when it has
 * ended, or when the object becomes immortal and no count matters any more. So who reads its own
 * number is the owner, and who does not is not, however old the word is that it reads; and what is done
 * to the word is done to the newest one. */
static inline uint64_t hm_biased_word(const struct hm_object *object) {
    return __atomic_load_n(&hm_biased_of(object)->word, __ATOMIC_RELAXED);
}

static inline int64_t hm_biased_shared(uint64_t word) {
    return (int64_t)word >> HM_BIASED_SHIFT;
}

static inline bool hm_rc_is_immortal(const struct hm_object *object) {
    return (hm_biased_word(object) & HM_BIASED_STATE) == HM_BIASED_IMMORTAL;
}

/* Relaxed addition: as in refcount_atomic.h. */
static inline void hm_rc_count_up(struct hm_mutator *m, struct hm_object *object) {
    uint64_t word = hm_biased_word(object);
    if ((word & HM_BIASED_OWNER) == m->number)
        object->count++;
    else if ((word & HM_BIASED_STATE) != HM_BIASED_IMMORTAL)
        __atomic_fetch_add(&hm_biased_of(object)->word, HM_BIASED_ONE, __ATOMIC_RELAXED);
}

static inline bool hm_rc_count_down(struct hm_mutator *m, struct hm_object *object) {
    if ((hm_biased_word(object) & HM_BIASED_OWNER) != m->number)
        return HM_BIASED(drop_shared)(m, object);
    return --object->count == 0 && HM_BIASED(end_local)(object);
}

static inline void hm_biased_own(const struct hm_mutator *m, struct hm_biased *front) {
    __atomic_store_n(&front->word, HM_BIASED_OWNED | m->number, __ATOMIC_RELAXED);
}

static inline void hm_rc_count_anew(struct hm_mutator *m, struct hm_object *object) {
    hm_biased_own(m, hm_biased_of(object));
    object->count = 1;
}

static inline uint32_t hm_rc_count(const struct hm_object *object) {
    return (uint32_t)((int32_t)object->count + hm_biased_shared(hm_biased_word(object)));
}

/* Relaxed: nothing follows from being immortal. The owner is taken away, so that it, too, looks at the
 * state. One that is queued stays in the queue, and is left alone when it is taken from there. */
static inline bool hm_rc_make_immortal(struct hm_object *object) {
    uint64_t next, word = hm_biased_word(object);
    do {
        if ((word & HM_BIASED_STATE) == HM_BIASED_IMMORTAL)
            return false;
        next = (word & ~(HM_BIASED_OWNER | HM_BIASED_STATE)) | HM_BIASED_IMMORTAL;
    } while (!__atomic_compare_exchange_n(&hm_biased_of(object)->word, &word, next, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

/* Relaxed: whether there is something is looked at again by who takes it. */
static inline void hm_biased_safepoint(struct hm_mutator *m) {
    if (__builtin_expect(__atomic_load_n(&m->queue, __ATOMIC_RELAXED) != NULL, 0))
        HM_BIASED(drain)(m);
}

#endif
