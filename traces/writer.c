/* Writes a trace: to a name of its own beside the wanted one, which it gets when it is whole.
 *
 * Invariants
 *   What an event needs (modules, stacks) is in a block before that of the event. An error of writing
 *   stays: every call after it has the same answer, and hm_trace_finish leaves no file. */
#include "traces/account.h"
#include "traces/frame.h"
#include "traces/pages.h"
#include "traces/varint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A block that is being filled. */
struct filling {
    enum hm_trace_block_type type;
    uint32_t entries;
    uint8_t *at; /* in raw */
    uint8_t raw[HM_TRACE_RAW_MAX];
};

struct hm_trace_writer {
    struct hm_account account;
    struct hm_packer *packer;
    bool has_times, has_stacks;
    int fd;
    int error;
    uint64_t offset; /* in the file */
    uint32_t modules;
    uint32_t thread; /* of the event before */
    const char *refusal;
    struct filling module_block, stack_block, event_block;
    char path[HM_TRACE_PATH_MAX];
    char partial[HM_TRACE_PATH_MAX + 32];
};

/* ---- Blocks ---- */

static int write_bytes(struct hm_trace_writer *w, const uint8_t *bytes, size_t size) {
    while (size && !w->error) {
        ssize_t wrote = write(w->fd, bytes, size);
        if (wrote < 0 && errno != EINTR)
            w->error = errno;
        if (wrote < 0)
            continue;
        bytes += wrote;
        size -= (size_t)wrote;
        w->offset += (uint64_t)wrote;
    }
    return w->error;
}

static size_t filled(const struct filling *f) {
    return (size_t)(f->at - f->raw);
}

static bool has_room(const struct filling *f, size_t bytes) {
    return filled(f) + bytes <= sizeof f->raw;
}

static int write_block(struct hm_trace_writer *w, struct filling *f) {
    struct hm_frame frame = {.type = f->type,
                             .entries = f->entries,
                             .raw_bytes = (uint32_t)filled(f),
                             .offset = w->offset};
    size_t size;
    const uint8_t *bytes = hm_frame_pack(w->packer, &frame, f->raw, &size);
    f->at = f->raw;
    f->entries = 0;
    return write_bytes(w, bytes, size);
}

/* All that is filled, in the order in which one block builds on another. */
static int write_tables(struct hm_trace_writer *w) {
    int error = w->module_block.entries ? write_block(w, &w->module_block) : w->error;
    if (!error && w->stack_block.entries)
        error = write_block(w, &w->stack_block);
    return error;
}

static int write_events(struct hm_trace_writer *w) {
    int error = write_tables(w);
    if (!error && w->event_block.entries)
        error = write_block(w, &w->event_block);
    return error;
}

static void put_number(struct filling *f, uint64_t number) {
    f->at = hm_varint_put(f->at, number);
}

/* As much of it as may be. */
static void put_text(struct filling *f, const char *text, size_t most) {
    size_t length = strnlen(text ? text : "", most);
    put_number(f, length);
    if (length)
        memcpy(f->at, text, length);
    f->at += length;
}

/* ---- The begin ---- */

static int write_facts(struct hm_trace_writer *w, const struct hm_trace_facts *facts) {
    struct filling *f = &w->event_block; /* is not in use yet */
    uint8_t head[HM_TRACE_HEAD_BYTES] = HM_TRACE_MAGIC;
    f->type = HM_TRACE_BLOCK_FACTS;
    hm_trace_put_fixed(head + 8, HM_TRACE_VERSION, 4);
    hm_trace_put_fixed(head + 12, 0, 4);
    put_number(f, (facts->has_times ? HM_TRACE_FLAG_TIMES : 0u) |
                      (facts->has_stacks ? HM_TRACE_FLAG_STACKS : 0u));
    put_number(f, facts->pid);
    put_number(f, hm_varint_fold(facts->started_utc));
    put_number(f, facts->page_bytes);
    put_text(f, facts->program, HM_TRACE_TEXT_MAX);
    put_text(f, facts->command, HM_TRACE_TEXT_MAX);
    put_text(f, facts->recorder, HM_TRACE_TEXT_MAX);
    put_text(f, facts->machine, HM_TRACE_TEXT_MAX);
    int error = write_bytes(w, head, sizeof head);
    if (!error)
        error = write_block(w, f);
    f->type = HM_TRACE_BLOCK_EVENTS;
    return error;
}

/* A name beside the wanted one that nobody has. */
static int create_partial(struct hm_trace_writer *w) {
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(w->partial, sizeof w->partial, "%s.%ld-%u.partial", w->path, (long)getpid(), i);
        w->fd = open(w->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    w->partial[0] = '\0';
    return errno;
}

static int open_all(struct hm_trace_writer *w, const struct hm_trace_facts *facts) {
    if (access(w->path, F_OK) == 0)
        return EEXIST;
    int error = create_partial(w);
    if (error)
        return error;
    w->packer = hm_packer_open();
    if (!w->packer || hm_account_open(&w->account))
        return ENOMEM;
    w->has_times = facts->has_times;
    w->has_stacks = facts->has_stacks;
    struct filling *const all[] = {&w->module_block, &w->stack_block, &w->event_block};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        all[i]->at = all[i]->raw;
    w->module_block.type = HM_TRACE_BLOCK_MODULES;
    w->stack_block.type = HM_TRACE_BLOCK_STACKS;
    return write_facts(w, facts);
}

int hm_trace_create(const char *path, const struct hm_trace_facts *facts,
                    struct hm_trace_writer **out) {
    if (strlen(path) >= HM_TRACE_PATH_MAX)
        return ENAMETOOLONG;
    struct hm_trace_writer *w = hm_pages_get(sizeof *w);
    if (!w)
        return ENOMEM;
    w->fd = -1;
    memcpy(w->path, path, strlen(path) + 1);
    int error = open_all(w, facts);
    if (error)
        hm_trace_abandon(w);
    else
        *out = w;
    return error;
}

void hm_trace_abandon(struct hm_trace_writer *w) {
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->partial[0])
        unlink(w->partial);
    hm_account_close(&w->account);
    hm_packer_close(w->packer);
    hm_pages_give(w, sizeof *w);
}

/* ---- Tables ---- */

uint32_t hm_trace_add_module(struct hm_trace_writer *w, const char *path, const char *build_id) {
    struct filling *f = &w->module_block;
    if (w->modules == HM_TRACE_MODULES_MAX)
        return UINT32_MAX;
    if (!has_room(f, HM_TRACE_PATH_MAX + HM_TRACE_BUILD_ID_MAX + 2 * HM_VARINT_MAX) &&
        write_tables(w))
        return UINT32_MAX;
    put_text(f, path, HM_TRACE_PATH_MAX);
    put_text(f, build_id, HM_TRACE_BUILD_ID_MAX);
    f->entries++;
    return w->modules++;
}

uint32_t hm_trace_add_stack(struct hm_trace_writer *w, const struct hm_trace_address *frames,
                            size_t count) {
    struct filling *f = &w->stack_block;
    if (count > HM_TRACE_FRAMES_MAX || w->account.totals.stacks == HM_TRACE_STACKS_MAX)
        return 0;
    if (!has_room(f, (2 * count + 1) * HM_VARINT_MAX) && write_tables(w))
        return 0;
    put_number(f, count);
    for (size_t i = 0; i < count; i++) {
        bool has_module = frames[i].module < w->modules;
        put_number(f, has_module ? frames[i].module + UINT64_C(1) : 0);
        put_number(f, frames[i].offset);
    }
    f->entries++;
    return (uint32_t)++w->account.totals.stacks;
}

/* ---- Events ---- */

static uint64_t ref_of(uint64_t block, uint64_t next) {
    if (block == HM_TRACE_NULL || block == HM_TRACE_FOREIGN)
        return block == HM_TRACE_NULL ? HM_TRACE_REF_NULL : HM_TRACE_REF_FOREIGN;
    return next - block + 1;
}

/* A block of events begins with what its first one builds on. */
static void begin_events(struct hm_trace_writer *w) {
    put_number(&w->event_block, w->account.totals.blocks + 1);
    put_number(&w->event_block, w->account.time_ns);
    w->thread = 0;
}

/* @param next number of a block, time_ns: before this event */
static void encode(struct hm_trace_writer *w, const struct hm_trace_event *e, uint64_t next,
                   uint64_t time_ns) {
    struct filling *f = &w->event_block;
    unsigned fields = hm_trace_fields(e->kind);
    bool other_thread = e->thread != w->thread;
    *f->at++ = (uint8_t)(e->kind | (e->failed ? HM_TRACE_BYTE_FAILED : 0) |
                         (other_thread ? HM_TRACE_BYTE_THREAD : 0));
    if (other_thread)
        put_number(f, e->thread);
    if (w->has_times)
        put_number(f, e->time_ns - time_ns);
    if (w->has_stacks)
        put_number(f, e->stack);
    if (fields & HM_TRACE_FIELD_REF)
        put_number(f, ref_of(e->block, next));
    if (fields & HM_TRACE_FIELD_ALIGNMENT)
        *f->at++ = e->alignment_log2;
    if (fields & HM_TRACE_FIELD_COUNT)
        put_number(f, e->count);
    if (fields & HM_TRACE_FIELD_SIZE)
        put_number(f, e->size);
    w->thread = e->thread;
    f->entries++;
}

int hm_trace_add(struct hm_trace_writer *w, const struct hm_trace_event *event) {
    struct hm_trace_event e = *event;
    if (e.kind >= HM_TRACE_KINDS) {
        w->refusal = "an event of an unknown kind";
        return EINVAL;
    }
    if (w->error)
        return w->error;
    hm_account_tidy(&e);
    e.time_ns = w->has_times ? e.time_ns : 0;
    e.stack = w->has_stacks ? e.stack : 0;
    if (!has_room(&w->event_block, HM_TRACE_SLACK) && write_events(w))
        return w->error;
    if (!w->event_block.entries) {
        w->event_block.at = w->event_block.raw; /* an event that was not taken has left a begin */
        begin_events(w);
    }
    uint64_t next = w->account.totals.blocks + 1;
    uint64_t time_ns = w->account.time_ns;
    int error = hm_account_take(&w->account, &e, &w->refusal);
    if (!error)
        encode(w, &e, next, time_ns);
    return error;
}

const char *hm_trace_refusal(const struct hm_trace_writer *w) {
    return w->refusal ? w->refusal : "";
}

/* ---- The end ---- */

static int write_trailer(struct hm_trace_writer *w) {
    struct filling *f = &w->event_block;
    const struct hm_trace_totals *t = &w->account.totals;
    const uint64_t numbers[] = {t->operations,    t->allocations,
                                t->frees,         t->bytes,
                                t->peak_bytes,    t->peak_blocks,
                                t->blocks,        t->threads,
                                t->stacks,        t->failed,
                                t->null_frees,    t->foreign,
                                t->inherited,     t->cross_thread_frees,
                                t->duration_ns,   t->dropped,
                                (uint64_t)t->end, hm_varint_fold(t->status)};
    f->type = HM_TRACE_BLOCK_TRAILER;
    f->at = f->raw;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        put_number(f, numbers[i]);
    hm_trace_put_fixed(f->at, t->hash, 8);
    f->at += 8;
    return write_block(w, f);
}

/* The wanted name, unless somebody has taken it. */
static int take_name(const struct hm_trace_writer *w) {
    if (link(w->partial, w->path) == 0)
        return unlink(w->partial) ? errno : 0;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
        return errno;
    /* a file system without hard links */
    return renameat2(AT_FDCWD, w->partial, AT_FDCWD, w->path, RENAME_NOREPLACE) ? errno : 0;
}

/* So that the name outlives a crash. That some file systems refuse it costs only that. */
static void sync_folder(const struct hm_trace_writer *w) {
    char folder[HM_TRACE_PATH_MAX];
    const char *slash = strrchr(w->path, '/');
    size_t length = slash ? (size_t)(slash - w->path) + 1 : 1;
    memcpy(folder, slash ? w->path : ".", length);
    folder[length] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static int finish(struct hm_trace_writer *w) {
    hm_account_close_hash(&w->account);
    int error = write_events(w);
    if (!error)
        error = write_trailer(w);
    if (!error && fsync(w->fd))
        error = errno;
    if (!error)
        error = take_name(w);
    if (error)
        return error;
    w->partial[0] = '\0';
    sync_folder(w);
    return 0;
}

int hm_trace_finish(struct hm_trace_writer *w, enum hm_trace_end end, int status, uint64_t dropped,
                    struct hm_trace_totals *totals) {
    w->account.totals.end = (int32_t)end;
    w->account.totals.status = status;
    w->account.totals.dropped = dropped;
    int error = w->error ? w->error : finish(w);
    if (!error && totals)
        *totals = w->account.totals;
    hm_trace_abandon(w);
    return error;
}
