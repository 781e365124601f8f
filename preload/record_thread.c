/* A thread of the image: its signals, its limits and its end.
 *
 * Vocabulary
 *   round   the C library runs the destructors of a thread's keys again while some of them set values:
 *           we do, up to the last round, so that what others free in theirs is recorded before
 *
 * Invariants
 *   Of a thread that is gone nothing stays mapped for long: a process has room for some ten thousand
 *   mappings, and may have more threads than that, one after another. What is left of a thread is for
 *   one thread at a time, whose signals are blocked. */
#include "preload/record.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    KERNEL_SIGNALS_BYTES = 8,
    LEFT_MAX = 256, /* more threads than that hardly end at a time */
};

struct left {
    struct hm_record_mapping chunk;
    long thread;
};

static pthread_key_t key;
static bool has_key;
static struct left left[LEFT_MAX];
static unsigned left_count;

/* ---- Signals and limits ---- */

uint64_t hm_record_block_signals(void) {
    uint64_t all = ~UINT64_C(0);
    uint64_t blocked = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &blocked, KERNEL_SIGNALS_BYTES);
    return blocked;
}

void hm_record_restore_signals(uint64_t blocked) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL, KERNEL_SIGNALS_BYTES);
}

int hm_record_may_grow(uint64_t bytes) {
    struct rlimit limit;
    bool is_known = syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0;
    return is_known && bytes > limit.rlim_cur ? EFBIG : 0;
}

/* ---- The end ---- */

static bool is_gone(long thread) {
    return syscall(SYS_tgkill, syscall(SYS_getpid), thread, 0) < 0;
}

static void unmap_what_is_left(void) {
    unsigned kept = 0;
    for (unsigned i = 0; i < left_count; i++)
        if (is_gone(left[i].thread))
            munmap(left[i].chunk.start, left[i].chunk.bytes);
        else
            left[kept++] = left[i];
    left_count = kept;
}

void hm_record_leave_behind(const struct hm_record_mapping *chunk) {
    struct hm_record_state *state = hm_record_state;
    while (atomic_exchange(&state->left_lock, 1))
        sched_yield();
    unmap_what_is_left();
    if (left_count < LEFT_MAX)
        left[left_count++] = (struct left){*chunk, syscall(SYS_gettid)};
    atomic_store(&state->left_lock, 0);
}

/* The C library's own calls may follow. */
static void end_thread(struct hm_record_thread *self) {
    int before = errno;
    uint64_t blocked = hm_record_block_signals();
    self->has_ended = true;
    if (self->image == hm_record_image && self->chunk.bytes)
        hm_record_leave_behind(&self->chunk);
    hm_record_forget_stacks();
    hm_record_restore_signals(blocked);
    errno = before;
}

static void thread_ends(void *value) {
    struct hm_record_thread *self = value;
    if (++self->rounds < PTHREAD_DESTRUCTOR_ITERATIONS && pthread_setspecific(key, self) == 0)
        return;
    const struct hm_record_call call = {.code = HM_SPOOL_THREAD_END << HM_SPOOL_KIND_SHIFT,
                                        .ticket = hm_record_ticket()};
    hm_record_put(&call);
    end_thread(self);
}

void hm_record_watch_end(struct hm_record_thread *self) {
    if (has_key && syscall(SYS_gettid) != syscall(SYS_getpid))
        pthread_setspecific(key, self);
}

void hm_record_prepare_ends(void) {
    has_key = pthread_key_create(&key, thread_ends) == 0;
}
