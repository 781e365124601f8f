/* What a record says besides the call: when it was, and from where.
 *
 * Vocabulary
 *   stack      the return addresses above the call, innermost first, by libunwind; in a build without
 *              it, by frame pointers
 *   seen       stacks that this thread wrote to the spool, by their hashes
 *   snapshot   a copy of /proc/self/maps beside the spool, numbered from 1: made when an address is
 *              in no code that the last one had
 *
 * Invariants
 *   A stack is told from others by its hash alone, 64 bits of it. It is written by each thread that
 *   meets it, and before the first record that names it. While a stack is taken, what the unwinder
 *   itself allocates is not recorded. */
#include "preload/record.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef HM_HAS_UNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif

enum {
    SEEN_FIRST = 1 << 12, /* a power of two */
    OWN_FRAMES = 4,       /* of this library, at most */
};

extern void *__libc_stack_end;

struct seen {
    uint64_t *hashes;
    size_t room, count;
    uint32_t image;
};

static bool has_times;
static unsigned frames_wanted;
static __thread struct seen seen __attribute__((tls_model("initial-exec")));

void hm_record_want_extra(bool times, unsigned frames) {
    has_times = times;
    frames_wanted = frames;
    hm_record_extra = times || frames ? HM_SPOOL_EXTRA : 0;
}

/* ---- Which stacks were written ---- */

static uint64_t *map_hashes(size_t room) {
    void *start = mmap(NULL, room * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

static size_t slot_of(const uint64_t *hashes, size_t room, uint64_t hash) {
    size_t at = hash & (room - 1);
    while (hashes[at] && hashes[at] != hash)
        at = (at + 1) & (room - 1);
    return at;
}

static bool grow(void) {
    size_t room = seen.room ? 2 * seen.room : SEEN_FIRST;
    uint64_t *hashes = map_hashes(room);
    if (!hashes)
        return false;
    for (size_t i = 0; seen.hashes && i < seen.room; i++)
        if (seen.hashes[i])
            hashes[slot_of(hashes, room, seen.hashes[i])] = seen.hashes[i];
    if (seen.hashes)
        munmap(seen.hashes, seen.room * sizeof(uint64_t));
    seen.hashes = hashes;
    seen.room = room;
    return true;
}

/* A forked child writes them anew. @return whether the stack is new to this thread */
static bool is_new(uint64_t hash) {
    if (seen.image != hm_record_image && seen.hashes) {
        memset(seen.hashes, 0, seen.room * sizeof(uint64_t));
        seen.count = 0;
    }
    seen.image = hm_record_image;
    if (hm_record_self.has_ended)
        return true;
    if ((!seen.hashes || 2 * seen.count >= seen.room) && !grow())
        return true;
    size_t at = slot_of(seen.hashes, seen.room, hash);
    if (seen.hashes[at])
        return false;
    seen.hashes[at] = hash;
    seen.count++;
    return true;
}

void hm_record_forget_stacks(void) {
    if (seen.hashes)
        munmap(seen.hashes, seen.room * sizeof(uint64_t));
    seen = (struct seen){.hashes = NULL};
}

/* ---- Taking a stack ---- */

#ifdef HM_HAS_UNWIND
static unsigned take_frames(uint64_t *frames, unsigned room) {
    void *all[HM_SPOOL_FRAMES_MAX + OWN_FRAMES];
    int count = unw_backtrace(all, (int)room);
    for (int i = 0; i < count; i++)
        frames[i] = (uint64_t)(uintptr_t)all[i];
    return count > 0 ? (unsigned)count : 0;
}
#else
/* The caller's frame lies above its callee's, and not far: what is none is not followed. */
static unsigned take_frames(uint64_t *frames, unsigned room) {
    enum {
        FRAME_BYTES_MAX = 64 << 10
    };
    const uint64_t *frame = __builtin_frame_address(0);
    uintptr_t top = (uintptr_t)__builtin_thread_pointer();
    if ((uintptr_t)frame > top || syscall(SYS_gettid) == syscall(SYS_getpid))
        top = (uintptr_t)__libc_stack_end;
    unsigned count = 0;
    while (count < room && (uintptr_t)frame + 16 <= top) {
        frames[count++] = frame[1];
        const uint64_t *above = (const uint64_t *)frame[0];
        if (above <= frame || (uintptr_t)above - (uintptr_t)frame > FRAME_BYTES_MAX ||
            (uintptr_t)above % 8)
            break;
        frame = above;
    }
    return count;
}
#endif

static bool is_own(uint64_t address) {
    extern const char __ehdr_start[] __attribute__((visibility("hidden")));
    extern const char _end[] __attribute__((visibility("hidden")));
    return address >= (uint64_t)(uintptr_t)__ehdr_start && address < (uint64_t)(uintptr_t)_end;
}

/* This library is above the call, and below the program's main. @return how many are left */
static unsigned without_own(uint64_t *frames, unsigned count) {
    unsigned kept = 0;
    for (unsigned i = 0; i < count && kept < frames_wanted; i++)
        if (!is_own(frames[i]))
            frames[kept++] = frames[i];
    return kept;
}

static uint64_t hash_of(const uint64_t *frames, unsigned count) {
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < count; i++) {
        hash = (hash ^ frames[i]) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash ? hash : 1;
}

/* ---- Writing it ---- */

static void write_stack(uint64_t hash, const uint64_t *frames, unsigned count) {
    uint64_t snapshot = hm_record_snapshot(frames, count);
    struct hm_record_thread *self = &hm_record_self;
    uint64_t bytes = (4 + (uint64_t)count) * HM_SPOOL_WORD_BYTES;
    uint64_t *words = hm_record_take(self, bytes, self->ticket);
    if (!words)
        return;
    *(volatile uint64_t *)words =
        (uint64_t)count << HM_SPOOL_ADDRESS_SHIFT | HM_SPOOL_STACK << HM_SPOOL_KIND_SHIFT;
    words[2] = hash;
    words[3] = snapshot;
    memcpy(words + 4, frames, count * sizeof *frames);
    __atomic_store_n(&words[1], UINT64_C(1) << HM_SPOOL_TICKET_SHIFT, __ATOMIC_RELEASE);
}

uint64_t hm_record_stack(void) {
    uint64_t frames[HM_SPOOL_FRAMES_MAX + OWN_FRAMES];
    struct hm_record_thread *self = &hm_record_self;
    if (!frames_wanted || self->depth > 1 || !atomic_load(&hm_record_state->is_on))
        return 0;
    int before = errno;
    self->unwinding_at = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    unsigned count = take_frames(frames, frames_wanted + OWN_FRAMES);
    count = without_own(frames, count);
    uint64_t hash = count ? hash_of(frames, count) : 0;
    if (hash && is_new(hash))
        write_stack(hash, frames, count);
    self->unwinding_at = 0;
    errno = before;
    return hash;
}

uint64_t hm_record_now(void) {
    struct timespec now = {0, 0};
    if (has_times)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
