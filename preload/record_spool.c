/* The image's spool: made at its first call, and filled chunk by chunk.
 *
 * Vocabulary
 *   flush     copy a full chunk to another place of the file, and empty it
 *   settle    find out whether this image is recorded, and make its spool if so
 *   word      a number or a text that is put at the end of a path without stdio
 *
 * Invariants
 *   All signals are blocked while a chunk is replaced, so that no handler meets it half done. The
 *   file is opened by its path each time: a descriptor that stayed open could be closed by the
 *   program, and its number be another file's. A chunk's room is taken from the file system before
 *   it is mapped: a full disk is an error here, and no signal later. Where something fails recording
 *   stops for the whole image, and the program goes on. */
#include "preload/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    FOLDER_BYTES = 4096,
    PATH_BYTES = FOLDER_BYTES + HM_SPOOL_NAME_BYTES,
    STATE_BYTES = 4096,
    IMAGES_MAX = 100000,   /* of one process number */
    LOWEST_BASE = 4096,    /* NULL is no place, and no block is below */
    HM_RECORD_NOWHERE = 8, /* no block is a multiple of 16 bytes away from it */
};

/* Half of what a place can tell. */
#define REACH (UINT64_C(1) << (HM_SPOOL_PLACE_BITS + 3))

extern void *__libc_stack_end;

__thread struct hm_record_thread hm_record_self;
static struct hm_record_state first_state;
struct hm_record_state *hm_record_state = &first_state;
__attribute__((aligned(64))) uint64_t hm_record_tickets;
unsigned hm_record_extra;
unsigned hm_record_image;
uint64_t hm_record_bases[2] = {HM_RECORD_NOWHERE, HM_RECORD_NOWHERE};
uint64_t hm_record_null;

static struct {
    bool was_asked; /* the environment was looked at */
    bool is_wanted;
    bool has_times;
    unsigned frames;
    long only; /* the one process to record, 0 for all */
    char folder[FOLDER_BYTES];
    char name[HM_SPOOL_NAME_BYTES]; /* of the image's spool; in a forked child still the parent's */
    struct hm_spool_head *head;
    atomic_uint threads;
} spool;

/* ---- Paths ---- */

static char *put_text(char *at, const char *end, const char *text) {
    while (*text && at + 1 < end)
        *at++ = *text++;
    *at = '\0';
    return at;
}

static char *put_number(char *at, const char *end, unsigned long number) {
    char digits[24];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    return put_text(at, end, first);
}

static void put_path(char path[PATH_BYTES]) {
    char *end = path + PATH_BYTES;
    char *at = put_text(path, end, spool.folder);
    at = put_text(at, end, "/");
    put_text(at, end, spool.name);
}

/* System calls that are neither cancellation points nor wrapped by anybody. */
static int open_path(const char *path, int flags) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void close_fd(int fd) {
    syscall(SYS_close, fd);
}

/* ---- What the environment says ---- */

/* The environment that the process was given; the C library's own may not be there yet. */
static const char *find_variable(void) {
    char **word = (char **)__libc_stack_end;
    long count = *(long *)__libc_stack_end;
    size_t length = sizeof HM_SPOOL_VARIABLE - 1;
    for (word += 1 + count + 1; *word; word++)
        if (strncmp(*word, HM_SPOOL_VARIABLE, length) == 0 && (*word)[length] == '=')
            return *word + length + 1;
    return NULL;
}

static const char *take_number(const char *text, long *out) {
    for (*out = 0; *text >= '0' && *text <= '9'; text++)
        *out = *out * 10 + (*text - '0');
    return *text == ':' ? text + 1 : text;
}

static void ask_environment(void) {
    long times = 0;
    long frames = 0;
    const char *text = find_variable();
    spool.was_asked = true;
    if (!text)
        return;
    text = take_number(text, &spool.only);
    text = take_number(text, &times);
    text = take_number(text, &frames);
    if (*text != '/' || strlen(text) >= sizeof spool.folder)
        return;
    put_text(spool.folder, spool.folder + sizeof spool.folder, text);
    spool.is_wanted = true;
    spool.has_times = times;
    spool.frames = frames > HM_SPOOL_FRAMES_MAX ? HM_SPOOL_FRAMES_MAX : (unsigned)frames;
    hm_record_want_extra(spool.has_times, spool.frames);
}

/* ---- The file ---- */

/* Room in the file, so that writing to its mapping can not fail. @return 0 or an errno */
static int make_room(int fd, uint64_t from, uint64_t bytes) {
    static const char zeros[HM_SPOOL_GRANULE];
    if (hm_record_may_grow(from + bytes))
        return EFBIG;
    if (syscall(SYS_fallocate, fd, 0, (off_t)from, (off_t)bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return errno;
    for (uint64_t at = from; at < from + bytes; at += sizeof zeros)
        if (syscall(SYS_pwrite64, fd, zeros, sizeof zeros, (off_t)at) != sizeof zeros)
            return errno ? errno : ENOSPC;
    return 0;
}

/* @return the mapping, or NULL with errno */
static void *map_room(int fd, uint64_t from, uint64_t bytes) {
    int bad = make_room(fd, from, bytes);
    if (bad) {
        errno = bad;
        return NULL;
    }
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)from);
    return start == MAP_FAILED ? NULL : start;
}

/* PID.0, or the next number when this process had images before: exec keeps its number. */
static int create_file(void) {
    char path[PATH_BYTES];
    unsigned long pid = (unsigned long)syscall(SYS_getpid);
    for (unsigned long k = 0; k < IMAGES_MAX; k++) {
        const char *end = spool.name + sizeof spool.name;
        char *at = put_number(spool.name, end, pid);
        at = put_text(at, end, ".");
        put_number(at, end, k);
        put_path(path);
        int fd = open_path(path, O_RDWR | O_CREAT | O_EXCL);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

int hm_record_create(const char *suffix, uint64_t number) {
    char path[PATH_BYTES + HM_SPOOL_NAME_BYTES];
    const char *end = path + sizeof path;
    put_path(path);
    char *at = put_text(path + strlen(path), end, suffix);
    put_number(at, end, number);
    return open_path(path, O_RDWR | O_CREAT | O_EXCL);
}

static void describe(struct hm_spool_head *head) {
    struct timespec now;
    head->pid = (int32_t)syscall(SYS_getpid);
    head->has_times = spool.has_times;
    head->has_stacks = spool.frames > 0;
    head->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    head->started_utc = now.tv_sec;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    head->started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (syscall(SYS_readlink, "/proc/self/exe", head->program, sizeof head->program - 1) < 0)
        head->program[0] = '\0';
    int fd = open_path("/proc/self/cmdline", O_RDONLY);
    long got = fd < 0 ? 0 : syscall(SYS_read, fd, head->command, sizeof head->command - 1);
    head->command_bytes = got > 0 ? (uint32_t)got : 0;
    if (fd >= 0)
        close_fd(fd);
}

/* Places around the program's break, and around the mappings below the stack. A forked child keeps
 * its parent's: its first record may be made already, and only wait for a chunk. */
static void find_bases(struct hm_spool_head *head) {
    uint64_t low = (uint64_t)syscall(SYS_brk, 0) & -(uint64_t)HM_SPOOL_GRANULE;
    uint64_t high = (uint64_t)(uintptr_t)head & -(uint64_t)HM_SPOOL_GRANULE;
    if (hm_record_bases[0] == HM_RECORD_NOWHERE && !hm_record_extra) {
        hm_record_null = hm_record_bases[0] = low > REACH ? low - REACH : LOWEST_BASE;
        hm_record_bases[1] = high > REACH ? high - REACH : LOWEST_BASE;
    }
    head->bases[0] = hm_record_bases[0];
    head->bases[1] = hm_record_bases[1];
}

/* @param forked_at the parent's last ticket, when this is a forked child */
static bool create_spool(uint64_t forked_at) {
    char parent[HM_SPOOL_NAME_BYTES];
    memcpy(parent, spool.name, sizeof parent);
    int fd = create_file();
    if (fd < 0)
        return false;
    struct hm_spool_head *head = map_room(fd, 0, HM_SPOOL_HEAD_BYTES);
    close_fd(fd);
    if (!head)
        return false;
    describe(head);
    find_bases(head);
    memcpy(head->parent, parent, sizeof parent);
    head->forked_at = parent[0] ? forked_at : 0;
    head->used = HM_SPOOL_HEAD_BYTES;
    if (spool.head)
        munmap(spool.head, HM_SPOOL_HEAD_BYTES);
    spool.head = head;
    atomic_store(&spool.threads, 0);
    __atomic_store_n(&head->magic, HM_SPOOL_MAGIC, __ATOMIC_RELEASE);
    return true;
}

/* ---- The image ---- */

/* The state is on a page that a fork does not copy. */
static void own_state(void) {
    if (hm_record_state != &first_state)
        return;
    void *page =
        mmap(NULL, STATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, STATE_BYTES, MADV_WIPEONFORK) == 0)
        hm_record_state = page;
}

static void settle_alone(uint64_t ticket) {
    if (!spool.was_asked) {
        ask_environment();
        own_state();
        hm_record_prepare_ends();
    }
    hm_record_image++;
    hm_record_self.cursor = hm_record_self.limit = 0; /* a child has its parent's chunk in view */
    bool is_wanted = spool.is_wanted && hm_record_state != &first_state &&
                     (!spool.only || spool.only == syscall(SYS_getpid));
    if (is_wanted && create_spool(ticket - 1))
        atomic_store(&hm_record_state->is_on, 1);
    else
        spool.is_wanted = false; /* nor in its children */
    atomic_store(&hm_record_state->is_settled, 1);
}

/* Once for each image; the lock's page is zero in a forked child. */
static void settle(uint64_t ticket) {
    struct hm_record_state *state = hm_record_state;
    while (atomic_exchange(&state->lock, 1))
        sched_yield();
    if (!atomic_load(&hm_record_state->is_settled))
        settle_alone(ticket);
    atomic_store(&state->lock, 0);
}

/* ---- Chunks ---- */

static void stop(int error, uint64_t ticket) {
    uint64_t none = 0;
    atomic_store(&hm_record_state->is_on, 0);
    __atomic_compare_exchange_n(&spool.head->stopped, &none, ticket, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    if (!none)
        spool.head->error = error;
}

/* In the order of their first chunks; the forked child's only thread is its first. */
static void join_image(struct hm_record_thread *self) {
    if (self->image == hm_record_image)
        return;
    self->image = hm_record_image;
    self->number = atomic_fetch_add(&spool.threads, 1);
    self->chunks = 0;
    self->retired_count = 0;
    self->chunk.bytes = 0;
    hm_record_watch_end(self);
}

/* A thread's first chunks are small, for there may be many threads that hardly allocate. */
static uint64_t next_bytes(const struct hm_record_thread *self) {
    uint64_t bytes = (uint64_t)HM_SPOOL_GRANULE << (self->chunks < 8 ? 2 * self->chunks : 16);
    if (self->number == 0 || bytes > HM_SPOOL_CHUNK_BYTES)
        bytes = HM_SPOOL_CHUNK_BYTES;
    return bytes;
}

static void begin_chunk(struct hm_record_thread *self, struct hm_spool_chunk *chunk,
                        uint64_t bytes) {
    *chunk = (struct hm_spool_chunk){.bytes = bytes,
                                     .thread = self->number,
                                     .tid = (uint32_t)syscall(SYS_gettid),
                                     .number = self->chunks++,
                                     .ticket = self->ticket};
    __atomic_store_n(&chunk->magic, HM_SPOOL_CHUNK_MAGIC, __ATOMIC_RELEASE);
    self->cursor = (uint64_t)(uintptr_t)(chunk + 1);
    self->limit = (uint64_t)(uintptr_t)chunk + bytes;
}

static int open_spool(void) {
    char path[PATH_BYTES];
    put_path(path);
    return open_path(path, O_RDWR);
}

/* @return 0 or an errno */
static int write_at(int fd, const void *bytes, uint64_t count, uint64_t at) {
    long written = syscall(SYS_pwrite64, fd, bytes, count, (off_t)at);
    return written == (long)count ? 0 : written < 0 ? errno : ENOSPC;
}

/* The copy's head comes last: until then there is none. */
static int copy_chunk(int fd, const struct hm_spool_chunk *chunk, uint64_t at) {
    struct hm_spool_chunk head = *chunk;
    int bad = hm_record_may_grow(at + chunk->bytes);
    head.is_copy = 1;
    if (!bad)
        bad = write_at(fd, chunk + 1, chunk->bytes - sizeof head, at + sizeof head);
    return bad ? bad : write_at(fd, &head, sizeof head, at);
}

static int flush(struct hm_record_thread *self) {
    struct hm_spool_chunk *chunk = self->chunk.start;
    uint64_t bytes = self->chunk.bytes;
    uint64_t at = __atomic_fetch_add(&spool.head->used, bytes, __ATOMIC_ACQ_REL);
    int fd = open_spool();
    int bad = fd < 0 ? errno : copy_chunk(fd, chunk, at);
    if (fd >= 0)
        close_fd(fd);
    if (bad)
        return bad;
    memset(chunk + 1, 0, bytes - sizeof *chunk);
    begin_chunk(self, chunk, bytes);
    return 0;
}

/* The old one stays in the file as it is, and mapped while a handler's interrupted callers may still
 * write there. */
static void retire(struct hm_record_thread *self) {
    bool is_mapped = self->chunk.bytes;
    if (is_mapped && self->depth <= 1 && !self->has_ended)
        munmap(self->chunk.start, self->chunk.bytes);
    else if (is_mapped && !self->has_ended && self->retired_count < HM_RECORD_RETIRED_MAX)
        self->retired[self->retired_count++] = self->chunk;
    while (self->depth <= 1 && self->retired_count) {
        const struct hm_record_mapping *old = &self->retired[--self->retired_count];
        munmap(old->start, old->bytes);
    }
    self->chunk.bytes = 0;
}

static int add_chunk(struct hm_record_thread *self) {
    uint64_t bytes = next_bytes(self);
    uint64_t from = __atomic_fetch_add(&spool.head->used, bytes, __ATOMIC_ACQ_REL);
    int fd = open_spool();
    struct hm_spool_chunk *chunk = fd < 0 ? NULL : map_room(fd, from, bytes);
    int bad = chunk ? 0 : errno;
    if (fd >= 0)
        close_fd(fd);
    if (!chunk)
        return bad;
    retire(self);
    self->chunk = (struct hm_record_mapping){chunk, bytes};
    if (self->has_ended)
        hm_record_leave_behind(&self->chunk);
    begin_chunk(self, chunk, bytes);
    return 0;
}

/* A chunk of full size is used again, unless somebody is still writing to it. */
static int renew_chunk(struct hm_record_thread *self) {
    return self->depth <= 1 && self->chunk.bytes == HM_SPOOL_CHUNK_BYTES ? flush(self)
                                                                         : add_chunk(self);
}

/* Signals are blocked, so that nobody else of this thread comes here. */
static uint64_t reserve_alone(uint64_t bytes, uint64_t ticket) {
    struct hm_record_thread *self = &hm_record_self;
    if (!atomic_load(&hm_record_state->is_settled))
        settle(ticket);
    if (!atomic_load(&hm_record_state->is_on))
        return 0;
    if (self->image != hm_record_image || self->cursor + bytes > self->limit) {
        join_image(self);
        int bad = renew_chunk(self);
        if (bad) {
            stop(bad, ticket);
            return 0;
        }
    }
    uint64_t at = self->cursor;
    self->cursor += bytes;
    return at;
}

uint64_t hm_record_reserve(uint64_t bytes, uint64_t ticket) {
    struct hm_record_state *state = hm_record_state;
    if (HM_UNLIKELY(atomic_load(&state->is_settled) && !atomic_load(&state->is_on)))
        return 0;
    int before = errno;
    uint64_t blocked = hm_record_block_signals();
    uint64_t at = reserve_alone(bytes, ticket);
    hm_record_restore_signals(blocked);
    errno = before;
    return at;
}

void hm_record_drop(void) {
    if (spool.is_wanted)
        __atomic_fetch_add(&spool.head->dropped, 1, __ATOMIC_RELAXED);
}

void hm_record_settle(uint64_t ticket) {
    int before = errno;
    if (atomic_load(&hm_record_state->is_settled))
        return;
    uint64_t blocked = hm_record_block_signals();
    settle(ticket);
    hm_record_restore_signals(blocked);
    errno = before;
}

/* ---- The end ---- */

void hm_record_ends(int status) {
    struct hm_spool_head *head = spool.head;
    if (!head || head->pid != (int32_t)syscall(SYS_getpid))
        return;
    head->status = (uint32_t)status & 0xff;
    __atomic_store_n(&head->has_ended, 1, __ATOMIC_RELEASE);
}

/* Of a program that never allocates it is still known that it was there. */
__attribute__((constructor)) static void begin(void) {
    hm_record_settle(1);
}
