/* The memory and the lock of a first-fit heap, and the repair of a shared one whose user died inside.
 *
 * The words are those of first-fit_heap.h. A process may be killed between any two instructions, the
 * index then being half changed. So nothing of it is kept: the index and the counters are made anew
 * from `boundaries` and `starts`, where each change is one store. It has happened, or it has not;
 * at worst a block is in use whose address its process did not live to learn.
 *
 * The repair takes time linear in the used part of the array, and no memory. Whoever dies in it
 * leaves the same work to the next one. */
#include "allocators/first-fit_heap.h"

#include <errno.h>
#include <time.h>

enum {
    WAIT_NS = 5000000, /* for the lock, before it is asked for again */
};

/* ---- Opening ---- */

/* The bit of the array's end included, and what a search reads behind it. */
static size_t bitmap_bytes(const struct hm_heap *heap) {
    return ((size_t)heap->granules / 64 + 1 + NEAR_WORDS) * sizeof(uint64_t);
}

static int open_lock(struct hm_heap *heap) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    if (heap->lock_kind == LOCK_PROCESS) {
        pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    }
    int bad = pthread_mutex_init(&heap->lock, &kind);
    pthread_mutexattr_destroy(&kind);
    return bad;
}

int hm_first_fit_map(struct hm_heap *heap) {
    if (open_lock(heap))
        return ENOMEM;
    heap->array = hm_map_lazily((size_t)heap->granules << heap->shift, heap->backing);
    heap->boundaries = hm_map_metadata(bitmap_bytes(heap), heap->backing);
    if (!heap->array || !heap->boundaries)
        return ENOMEM;
    if (heap->lock_kind == LOCK_PROCESS)
        heap->starts = hm_map_metadata(bitmap_bytes(heap), heap->backing);
    heap->runs = heap->index.open(heap->granules, heap->backing);
    if (!heap->runs || (heap->lock_kind == LOCK_PROCESS && !heap->starts))
        return ENOMEM;
    set_bit(heap->boundaries, 0);
    set_bit(heap->boundaries, heap->granules);
    return 0;
}

/* Of a shared heap this process's mapping only: others may be inside. */
void hm_first_fit_close(struct hm_heap *heap) {
    if (heap->runs)
        heap->index.close(heap->runs);
    if (heap->boundaries)
        munmap(heap->boundaries, bitmap_bytes(heap));
    if (heap->starts)
        munmap(heap->starts, bitmap_bytes(heap));
    if (heap->array)
        munmap(heap->array, (size_t)heap->granules << heap->shift);
    if (heap->backing == HM_BACKING_PRIVATE)
        pthread_mutex_destroy(&heap->lock);
    munmap(heap, sizeof *heap);
}

/* ---- Repair ---- */

/* What was found so far of the stretches between two boundaries. */
struct survey {
    uint32_t from; /* where the current one begins */
    bool is_used;
};

/* The current stretch ends at a boundary, where the next one begins. */
static void pass(struct hm_heap *heap, struct survey *survey, uint32_t at) {
    bool is_used = has_bit(heap->starts, at);
    if (survey->is_used) {
        heap->index.claim(heap->runs, survey->from, at - survey->from);
        heap->live_granules += at - survey->from;
        heap->live_blocks++;
    } else if (!is_used && at > 0 && at < heap->granules) {
        clear_bit_if(heap->boundaries, at, true);
    }
    *survey = (struct survey){at, is_used};
}

static void mend(struct hm_heap *heap) {
    struct survey survey = {0, false};
    heap->index.clear(heap->runs);
    heap->live_granules = 0;
    heap->live_blocks = 0;
    for (size_t i = 0; i <= heap->high / 64; i++) {
        for (uint64_t word = heap->boundaries[i]; word; word &= word - 1)
            pass(heap, &survey, (uint32_t)(i * 64 + (unsigned)__builtin_ctzll(word)));
    }
    heap->mends++;
    pthread_mutex_consistent(&heap->lock);
}

/* A waiter that is woken and then killed takes its waking with it; if a third one has the lock by then,
 * neither the kernel nor that one knows of further waiters (glibc's robust mutex; the kernel's
 * handle_futex_death). So nobody sleeps for ever. */
static int wait_for_lock(struct hm_heap *heap) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_mutex_clocklock(&heap->lock, CLOCK_MONOTONIC, &until);
}

void hm_first_fit_enter(struct hm_heap *heap) {
    int status = pthread_mutex_trylock(&heap->lock);
    while (status == EBUSY || status == ETIMEDOUT)
        status = wait_for_lock(heap);
    if (status)
        mend(heap);
}
