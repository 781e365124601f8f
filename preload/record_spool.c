/* The image's spool: made at its first call, and filled chunk by chunk.
 *
 * Vocabulary
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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    FOLDER_BYTES = 4096,
    PATH_BYTES = FOLDER_BYTES + HM_SPOOL_NAME_BYTES,
    STATE_BYTES = 4096,
    IMAGES_MAX = 100000, /* of one process number */
    KERNEL_SIGNALS_BYTES = 8,
};

extern void *__libc_stack_end;

__thread struct hm_record_thread hm_record_self;
static struct hm_record_state first_state;
struct hm_record_state *hm_record_state = &first_state;
__attribute__((aligned(64))) uint64_t hm_record_tickets;
unsigned hm_record_extra;

static struct {
    bool was_asked; /* the environment was looked at */
    bool is_wanted;
    bool has_times;
    bool has_key;
    unsigned frames;
    long only; /* the one process to record, 0 for all */
    char folder[FOLDER_BYTES];
    char name[HM_SPOOL_NAME_BYTES]; /* of the image's spool; in a forked child still the parent's */
    struct hm_spool_head *head;
    atomic_uint threads;
    unsigned image;
    pthread_key_t key;
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
    struct rlimit limit;
    if (syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 && from + bytes > limit.rlim_cur)
        return EFBIG; /* to try it would be a signal */
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
    void *start =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)from);
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

static void thread_ends(void *round);

static void settle_alone(uint64_t ticket) {
    if (!spool.was_asked) {
        ask_environment();
        own_state();
        spool.has_key = pthread_key_create(&spool.key, thread_ends) == 0;
    }
    spool.image++;
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
    if (self->image == spool.image)
        return;
    self->image = spool.image;
    self->number = atomic_fetch_add(&spool.threads, 1);
    self->chunks = 0;
    self->retired_count = 0;
    self->chunk.bytes = 0;
    if (spool.has_key && syscall(SYS_gettid) != syscall(SYS_getpid))
        pthread_setspecific(spool.key, self);
}

/* A handler's interrupted callers may still write to the old chunk. */
static void retire(struct hm_record_thread *self) {
    if (self->depth <= 1) {
        while (self->retired_count) {
            struct hm_record_mapping *old = &self->retired[--self->retired_count];
            munmap(old->start, old->bytes);
        }
        if (self->chunk.bytes)
            munmap(self->chunk.start, self->chunk.bytes);
    } else if (self->retired_count < HM_RECORD_RETIRED_MAX && self->chunk.bytes) {
        self->retired[self->retired_count++] = self->chunk;
    }
    self->chunk.bytes = 0;
}

/* A thread's first chunks are small, for there may be many threads that hardly allocate. */
static uint64_t next_bytes(const struct hm_record_thread *self) {
    uint64_t bytes = (uint64_t)HM_SPOOL_GRANULE << (self->chunks < 8 ? 2 * self->chunks : 16);
    if (self->number == 0 || bytes > HM_SPOOL_CHUNK_BYTES)
        bytes = HM_SPOOL_CHUNK_BYTES;
    return bytes;
}

/* @return 0 or an errno */
static int add_chunk(struct hm_record_thread *self) {
    char path[PATH_BYTES];
    uint64_t bytes = next_bytes(self);
    uint64_t from = __atomic_fetch_add(&spool.head->used, bytes, __ATOMIC_ACQ_REL);
    put_path(path);
    int fd = open_path(path, O_RDWR);
    if (fd < 0)
        return errno;
    struct hm_spool_chunk *chunk = map_room(fd, from, bytes);
    int bad = chunk ? 0 : errno;
    close_fd(fd);
    if (bad)
        return bad;
    retire(self);
    *chunk = (struct hm_spool_chunk){
        .bytes = bytes, .thread = self->number, .tid = (uint32_t)syscall(SYS_gettid)};
    __atomic_store_n(&chunk->magic, HM_SPOOL_CHUNK_MAGIC, __ATOMIC_RELEASE);
    self->chunk = (struct hm_record_mapping){chunk, bytes};
    self->chunks++;
    self->cursor = (uint64_t)(uintptr_t)(chunk + 1);
    self->limit = (uint64_t)(uintptr_t)chunk + bytes;
    return 0;
}

/* Signals are blocked, so that nobody else of this thread comes here. */
static uint64_t reserve_alone(uint64_t bytes, uint64_t ticket) {
    struct hm_record_thread *self = &hm_record_self;
    if (!atomic_load(&hm_record_state->is_settled))
        settle(ticket);
    if (!atomic_load(&hm_record_state->is_on))
        return 0;
    if (self->image != spool.image || self->cursor + bytes > self->limit) {
        join_image(self);
        int bad = add_chunk(self);
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
    if (HM_UNLIKELY(atomic_load(&state->is_settled) && !atomic_load(&state->is_on))) {
        if (spool.is_wanted)
            __atomic_fetch_add(&spool.head->dropped, 1, __ATOMIC_RELAXED);
        return 0;
    }
    int before = errno;
    uint64_t all = ~UINT64_C(0);
    uint64_t mask;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, KERNEL_SIGNALS_BYTES);
    uint64_t at = reserve_alone(bytes, ticket);
    if (!at && spool.is_wanted)
        __atomic_fetch_add(&spool.head->dropped, 1, __ATOMIC_RELAXED);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, KERNEL_SIGNALS_BYTES);
    errno = before;
    return at;
}

/* ---- Threads and the end ---- */

/* The other destructors' calls, and the C library's own after them, may follow. */
static void thread_ends(void *round) {
    (void)round;
    hm_record_put(
        (struct hm_record_call){.code = HM_SPOOL_THREAD_END, .ticket = hm_record_ticket()});
}

void hm_record_ends(int status) {
    struct hm_spool_head *head = spool.head;
    if (!head || head->pid != (int32_t)syscall(SYS_getpid))
        return;
    head->status = (uint32_t)status & 0xff;
    __atomic_store_n(&head->has_ended, 1, __ATOMIC_RELEASE);
}

/* Of a program that never allocates it is still known that it was there. */
__attribute__((constructor)) static void begin(void) {
    if (!atomic_load(&hm_record_state->is_settled))
        settle(1);
}
