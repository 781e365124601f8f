/* Snapshots of what is mapped where, for those who give names to addresses later.
 *
 * Invariants
 *   `known` has the executable ranges of the last snapshot, and with them each address that was in
 *   none of them: such a one is looked for once. It is this image's, and for one thread at a time,
 *   whose signals are blocked. The lock is the state's, so that no child has it from its parent. */
#include "preload/record.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    RANGES_MAX = 8192,
    BUFFER_BYTES = 64 << 10,
};

struct range {
    uint64_t from, to;
};

static struct {
    uint32_t image;
    unsigned count;
    uint64_t number; /* of the last snapshot */
    struct range ranges[RANGES_MAX];
    char buffer[BUFFER_BYTES];
} known;

static bool is_known(uint64_t address) {
    for (unsigned i = 0; i < known.count; i++)
        if (address - known.ranges[i].from < known.ranges[i].to - known.ranges[i].from)
            return true;
    return false;
}

static void add_range(uint64_t from, uint64_t to) {
    if (known.count < RANGES_MAX)
        known.ranges[known.count++] = (struct range){from, to};
}

static const char *take_hex(const char *text, uint64_t *out) {
    for (*out = 0;; text++) {
        unsigned digit = *text >= '0' && *text <= '9'   ? (unsigned)(*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (unsigned)(*text - 'a') + 10
                                                        : 16;
        if (digit == 16)
            return text;
        *out = *out << 4 | digit;
    }
}

/* "from-to r-xp ..." */
static void take_line(const char *line) {
    uint64_t from;
    uint64_t to;
    line = take_hex(line, &from);
    if (*line != '-')
        return;
    line = take_hex(line + 1, &to);
    if (*line == ' ' && line[3] == 'x')
        add_range(from, to);
}

/* @return how much of the buffer is the beginning of a line that goes on */
static size_t take_lines(size_t bytes) {
    char *line = known.buffer;
    char *end = known.buffer + bytes;
    for (char *newline; (newline = memchr(line, '\n', (size_t)(end - line))); line = newline + 1)
        take_line(line);
    memmove(known.buffer, line, (size_t)(end - line));
    return (size_t)(end - line);
}

static bool copy_maps(int in, int out) {
    size_t kept = 0;
    for (uint64_t written = 0;;) {
        long got = syscall(SYS_read, in, known.buffer + kept, sizeof known.buffer - kept - 1);
        if (got <= 0)
            return got == 0;
        written += (uint64_t)got;
        if (hm_record_may_grow(written) || syscall(SYS_write, out, known.buffer + kept, got) != got)
            return false;
        kept = take_lines(kept + (size_t)got);
    }
}

static void take_snapshot(void) {
    int in = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : hm_record_create(HM_SPOOL_MAPS, known.number + 1);
    known.count = 0;
    if (out >= 0 && copy_maps(in, out))
        known.number++;
    if (in >= 0)
        syscall(SYS_close, in);
    if (out >= 0)
        syscall(SYS_close, out);
}

static void look_at(const uint64_t *addresses, unsigned count) {
    bool is_whole = known.image == hm_record_image;
    if (!is_whole) {
        known.image = hm_record_image;
        known.number = 0;
    }
    for (unsigned i = 0; i < count && is_whole; i++)
        is_whole = is_known(addresses[i]);
    if (is_whole)
        return;
    take_snapshot();
    for (unsigned i = 0; i < count; i++)
        if (!is_known(addresses[i]))
            add_range(addresses[i], addresses[i] + 1);
}

uint64_t hm_record_snapshot(const uint64_t *addresses, unsigned count) {
    uint64_t blocked = hm_record_block_signals();
    while (atomic_exchange(&hm_record_state->maps_lock, 1))
        sched_yield();
    look_at(addresses, count);
    uint64_t number = known.number;
    atomic_store(&hm_record_state->maps_lock, 0);
    hm_record_restore_signals(blocked);
    return number;
}
