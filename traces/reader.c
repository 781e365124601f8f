/* Reads a trace that nobody vouches for.
 *
 * Invariants
 *   Of a block nothing is believed before its checksum is right, and of an event nothing is handed out
 *   before the account has taken it. What is broken stays broken until hm_trace_rewind. */
#include "traces/account.h"
#include "traces/frame.h"
#include "traces/pages.h"
#include "traces/tables.h"
#include "traces/varint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum state {
    READING,
    ENDED,
    BROKEN,
};

struct hm_trace_reader {
    struct hm_account account;
    struct hm_trace_facts facts;
    struct hm_tables tables;
    struct hm_unpacker *unpacker;
    enum state state;
    int fd;
    int error;       /* of reading the file */
    uint64_t first;  /* offset of the block behind the facts */
    uint64_t offset; /* in the file, of what comes next */
    uint64_t block;  /* offset of the block that is being read */
    uint64_t size;   /* of the file */
    /* Events that are unpacked: */
    const uint8_t *at, *end;
    uint32_t left;
    uint32_t thread; /* of the event before */
    char path[HM_TRACE_PATH_MAX];
    char why[HM_TRACE_WHY_BYTES];
    uint8_t raw[HM_TRACE_RAW_MAX + HM_TRACE_SLACK];
    uint8_t stored[HM_TRACE_RAW_MAX];
};

/* ---- What is wrong ---- */

__attribute__((format(printf, 2, 3))) static void set_why(struct hm_trace_reader *r,
                                                          const char *format, ...) {
    va_list args;
    int length = snprintf(r->why, sizeof r->why, "%.150s: ", r->path);
    va_start(args, format);
    vsnprintf(r->why + length, sizeof r->why - (size_t)length, format, args);
    va_end(args);
    r->state = BROKEN;
}

/* A macro, so that static analysis sees what it is. */
#define say(r, ...) (set_why(r, __VA_ARGS__), -1)

/* Not a trace. @return -1 */
static int refuse(struct hm_trace_reader *r, const char *what) {
    if (!r->first)
        return say(r, "not a trace that can be read: %s", what);
    return say(r, "broken at byte %" PRIu64 ", after %" PRIu64 " good events: %s", r->block,
               r->account.events, what);
}

/* ---- Blocks ---- */

/* @return 1; 0: the file ends before; -1: it could not be read */
static int read_bytes(struct hm_trace_reader *r, uint8_t *out, size_t bytes) {
    while (bytes) {
        ssize_t got = pread(r->fd, out, bytes, (off_t)r->offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            r->error = errno;
            return say(r, "%s", strerror(errno));
        }
        if (got == 0)
            return 0;
        out += got;
        bytes -= (size_t)got;
        r->offset += (uint64_t)got;
    }
    return 1;
}

static int cut_off(struct hm_trace_reader *r) {
    if (!r->first)
        return refuse(r, "it ends in its head");
    return say(r, "ends at byte %" PRIu64 " without its trailer, after %" PRIu64 " good events",
               r->size, r->account.events);
}

/* The next block, unpacked into `raw`. */
static int read_block(struct hm_trace_reader *r, struct hm_frame *frame) {
    uint8_t bytes[HM_TRACE_FRAME_BYTES];
    r->block = r->offset;
    int got = read_bytes(r, bytes, sizeof bytes);
    if (got <= 0)
        return got ? got : cut_off(r);
    const char *why = hm_frame_parse(bytes, r->block, frame);
    if (why)
        return refuse(r, why);
    if (frame->stored_bytes > r->size - r->offset)
        return cut_off(r);
    got = read_bytes(r, r->stored, frame->stored_bytes);
    if (got <= 0)
        return got ? got : cut_off(r);
    why = hm_frame_unpack(r->unpacker, frame, r->stored, r->raw);
    if (why)
        return refuse(r, why);
    memset(r->raw + frame->raw_bytes, 0, HM_TRACE_SLACK);
    return 1;
}

/* An event's block says what its first event builds on. */
static int begin_events(struct hm_trace_reader *r, const struct hm_frame *frame) {
    uint64_t block;
    uint64_t time_ns;
    const uint8_t *at = hm_varint_get(r->raw, &block);
    at = at ? hm_varint_get(at, &time_ns) : NULL;
    r->end = r->raw + frame->raw_bytes;
    if (!at || at > r->end)
        return refuse(r, "a block of events has no begin");
    if (block != r->account.totals.blocks + 1 || time_ns != r->account.time_ns)
        return refuse(r, "a block of events does not follow on the one before");
    r->at = at;
    r->left = frame->entries;
    r->thread = 0;
    return r->left || at == r->end ? 1 : refuse(r, "a block of events has bytes left over");
}

/* ---- The trailer ---- */

static bool same_totals(const struct hm_trace_totals *a, const struct hm_trace_totals *b) {
    return a->operations == b->operations && a->allocations == b->allocations &&
           a->frees == b->frees && a->bytes == b->bytes && a->peak_bytes == b->peak_bytes &&
           a->peak_blocks == b->peak_blocks && a->blocks == b->blocks && a->threads == b->threads &&
           a->stacks == b->stacks && a->failed == b->failed && a->null_frees == b->null_frees &&
           a->foreign == b->foreign && a->inherited == b->inherited &&
           a->cross_thread_frees == b->cross_thread_frees && a->duration_ns == b->duration_ns &&
           a->hash == b->hash;
}

static const uint8_t *get_totals(const uint8_t *at, struct hm_trace_totals *t) {
    uint64_t *const numbers[] = {&t->operations,  &t->allocations,
                                 &t->frees,       &t->bytes,
                                 &t->peak_bytes,  &t->peak_blocks,
                                 &t->blocks,      &t->threads,
                                 &t->stacks,      &t->failed,
                                 &t->null_frees,  &t->foreign,
                                 &t->inherited,   &t->cross_thread_frees,
                                 &t->duration_ns, &t->dropped};
    for (size_t i = 0; at && i < sizeof numbers / sizeof *numbers; i++)
        at = hm_varint_get(at, numbers[i]);
    return at;
}

static int end_reading(struct hm_trace_reader *r, const struct hm_frame *frame) {
    struct hm_trace_totals totals;
    uint64_t end;
    uint64_t status;
    if (frame->raw_bytes > 18 * HM_VARINT_MAX + 8)
        return refuse(r, "the trailer is too long");
    const uint8_t *at = get_totals(r->raw, &totals);
    at = at ? hm_varint_get(at, &end) : NULL;
    at = at ? hm_varint_get(at, &status) : NULL;
    if (!at || at + 8 != r->raw + frame->raw_bytes || end > HM_TRACE_END_UNKNOWN ||
        hm_varint_unfold(status) != (int32_t)hm_varint_unfold(status))
        return refuse(r, "the trailer can not be read");
    totals.hash = hm_trace_get_fixed(at, 8);
    totals.end = (int32_t)end;
    totals.status = (int32_t)hm_varint_unfold(status);
    hm_account_close_hash(&r->account);
    if (!same_totals(&totals, &r->account.totals))
        return refuse(r, "the totals of the trailer are not those of the events");
    if (r->offset != r->size)
        return refuse(r, "there is more behind the trailer");
    r->account.totals = totals;
    r->state = ENDED;
    return 0;
}

/* @return 1: there may be events; 0: the trailer was read; -1 */
static int next_block(struct hm_trace_reader *r) {
    struct hm_frame frame;
    const char *why;
    int got = read_block(r, &frame);
    if (got <= 0)
        return got;
    switch (frame.type) {
    case HM_TRACE_BLOCK_EVENTS:
        return begin_events(r, &frame);
    case HM_TRACE_BLOCK_TRAILER:
        return end_reading(r, &frame);
    case HM_TRACE_BLOCK_MODULES:
    case HM_TRACE_BLOCK_STACKS:
        why = hm_tables_take(&r->tables, &frame, r->raw);
        if (why)
            return refuse(r, why);
        r->account.totals.stacks += frame.type == HM_TRACE_BLOCK_STACKS ? frame.entries : 0;
        return 1;
    default:
        return refuse(r, "facts are at the begin only");
    }
}

/* ---- Events ---- */

static uint64_t block_of(uint64_t ref, uint64_t next) {
    if (ref < HM_TRACE_REF_AGE)
        return ref == HM_TRACE_REF_NULL ? HM_TRACE_NULL : HM_TRACE_FOREIGN;
    return ref - 1 < next ? next - (ref - 1) : HM_TRACE_FOREIGN - 1; /* which is never live */
}

/* Thread, time and stack. @return behind them, or NULL */
static inline const uint8_t *decode_common(struct hm_trace_reader *r, const uint8_t *at,
                                           unsigned first, struct hm_trace_event *e) {
    uint64_t number;
    if (first & HM_TRACE_BYTE_THREAD) {
        at = hm_varint_get(at, &number);
        if (!at || number > UINT32_MAX)
            return NULL;
        r->thread = (uint32_t)number;
    }
    e->thread = r->thread;
    e->time_ns = 0;
    e->stack = 0;
    if (r->facts.has_times) {
        at = hm_varint_get(at, &number);
        if (!at)
            return NULL;
        e->time_ns = r->account.time_ns + number;
    }
    if (r->facts.has_stacks) {
        at = hm_varint_get(at, &number);
        if (!at || number > UINT32_MAX)
            return NULL;
        e->stack = (uint32_t)number;
    }
    return at;
}

/* What its kind has besides. */
static inline const uint8_t *decode_fields(const struct hm_trace_reader *r, const uint8_t *at,
                                           struct hm_trace_event *e) {
    unsigned fields = hm_trace_fields(e->kind);
    uint64_t ref = HM_TRACE_REF_NULL;
    uint64_t next = r->account.totals.blocks + 1;
    e->alignment_log2 = 0;
    e->count = 1;
    e->size = 0;
    if (fields & HM_TRACE_FIELD_REF)
        at = hm_varint_get(at, &ref);
    if (at && fields & HM_TRACE_FIELD_ALIGNMENT)
        e->alignment_log2 = *at++;
    if (at && fields & HM_TRACE_FIELD_COUNT)
        at = hm_varint_get(at, &e->count);
    if (at && fields & HM_TRACE_FIELD_SIZE)
        at = hm_varint_get(at, &e->size);
    e->block = hm_trace_is_allocation(e->kind) && !e->failed ? next : block_of(ref, next);
    return at;
}

static int decode(struct hm_trace_reader *r, struct hm_trace_event *e) {
    const char *why = NULL;
    unsigned first = *r->at;
    e->kind = first & HM_TRACE_BYTE_KIND;
    e->failed = first & HM_TRACE_BYTE_FAILED;
    if (first & ~(unsigned)HM_TRACE_BYTE_KNOWN || e->kind >= HM_TRACE_KINDS)
        return refuse(r, "an event of an unknown kind");
    const uint8_t *at = decode_common(r, r->at + 1, first, e);
    at = at ? decode_fields(r, at, e) : NULL;
    if (!at || at > r->end)
        return refuse(r, "an event that can not be read");
    int error = hm_account_take(&r->account, e, &why);
    if (error)
        return refuse(r, error == ENOMEM ? "there is no memory for its live blocks" : why);
    r->at = at;
    if (!--r->left && at != r->end)
        return refuse(r, "a block of events has bytes left over");
    return 1;
}

int hm_trace_next(struct hm_trace_reader *r, struct hm_trace_event *event) {
    if (r->state != READING)
        return r->state == ENDED ? 0 : -1;
    while (!r->left) {
        int got = next_block(r);
        if (got <= 0)
            return got;
    }
    return decode(r, event);
}

/* ---- From begin to end ---- */

static int read_head(struct hm_trace_reader *r) {
    uint8_t head[HM_TRACE_HEAD_BYTES];
    struct hm_frame frame = {0};
    int got = read_bytes(r, head, sizeof head);
    if (got < 0)
        return -1;
    if (r->size < HM_TRACE_MAGIC_BYTES || memcmp(head, HM_TRACE_MAGIC, HM_TRACE_MAGIC_BYTES) != 0)
        return refuse(r, "it does not begin as one");
    if (!got)
        return cut_off(r);
    if (hm_trace_get_fixed(head + 8, 4) != HM_TRACE_VERSION || hm_trace_get_fixed(head + 12, 4))
        return refuse(r, "its version is not known here");
    got = read_block(r, &frame);
    if (got <= 0)
        return got;
    if (frame.type != HM_TRACE_BLOCK_FACTS)
        return refuse(r, "there are no facts at its begin");
    const char *why = hm_tables_take_facts(&r->tables, r->raw, frame.raw_bytes, &r->facts);
    if (why)
        return refuse(r, why);
    r->first = r->offset;
    return 1;
}

static int open_file(struct hm_trace_reader *r) {
    struct stat st;
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (r->fd < 0 || fstat(r->fd, &st)) {
        int error = errno;
        set_why(r, "%s", strerror(error));
        return error;
    }
    if (!S_ISREG(st.st_mode)) {
        set_why(r, "not a regular file");
        return EINVAL;
    }
    r->size = (uint64_t)st.st_size;
    return 0;
}

static int open_all(struct hm_trace_reader *r) {
    int error = open_file(r);
    if (error)
        return error;
    r->unpacker = hm_unpacker_open();
    if (!r->unpacker || hm_account_open(&r->account)) {
        set_why(r, "%s", strerror(ENOMEM));
        return ENOMEM;
    }
    if (read_head(r) > 0)
        return 0;
    return r->error ? r->error : EINVAL;
}

int hm_trace_open(const char *path, struct hm_trace_reader **out, char why[HM_TRACE_WHY_BYTES]) {
    struct hm_trace_reader *r = hm_pages_get(sizeof *r);
    if (!r || strlen(path) >= sizeof r->path) {
        snprintf(why, HM_TRACE_WHY_BYTES, "%.150s: %s", path, strerror(r ? ENAMETOOLONG : ENOMEM));
        hm_pages_give(r, sizeof *r);
        return r ? ENAMETOOLONG : ENOMEM;
    }
    memcpy(r->path, path, strlen(path) + 1);
    int error = open_all(r);
    if (error) {
        memcpy(why, r->why, sizeof r->why);
        hm_trace_close(r);
        return error;
    }
    *out = r;
    return 0;
}

int hm_trace_rewind(struct hm_trace_reader *r) {
    hm_account_reset(&r->account);
    r->state = READING;
    r->offset = r->first;
    r->left = 0;
    r->why[0] = '\0';
    return 0;
}

void hm_trace_close(struct hm_trace_reader *r) {
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    hm_account_close(&r->account);
    hm_tables_close(&r->tables);
    hm_unpacker_close(r->unpacker);
    hm_pages_give(r, sizeof *r);
}

const struct hm_trace_facts *hm_trace_facts(const struct hm_trace_reader *r) {
    return &r->facts;
}

const char *hm_trace_why(const struct hm_trace_reader *r) {
    return r->why;
}

const struct hm_trace_totals *hm_trace_totals(const struct hm_trace_reader *r) {
    return &r->account.totals;
}

size_t hm_trace_stack(const struct hm_trace_reader *r, uint32_t stack,
                      struct hm_trace_frame *frames, size_t room) {
    return hm_tables_stack(&r->tables, stack, frames, room);
}
