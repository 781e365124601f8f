/* Fuzz target: the reader of traces.
 *
 * Each input is read twice: as it is, and with the checksums and offsets of its blocks put right, for no
 * mutation would ever get behind them. What the reader hands out must hold to the invariants of trace.h,
 * and must be the same after a rewind. */
#include "tests/fuzz/memory_file.h"
#include "traces/format.h"

#include <string.h>
#include <xxhash.h>

enum {
    INPUT_MAX = 1 << 20,
};

struct check {
    uint64_t blocks, threads, time_ns, events, sum;
};

static void check_event(struct check *c, const struct hm_trace_reader *reader,
                        const struct hm_trace_event *e) {
    struct hm_trace_frame frames[4];
    uint64_t bytes;
    MUST(e->kind < HM_TRACE_KINDS);
    if (hm_trace_is_allocation(e->kind))
        MUST(e->block == (e->failed ? HM_TRACE_NULL : ++c->blocks));
    else
        MUST(e->block <= c->blocks || e->block == HM_TRACE_FOREIGN);
    MUST(e->thread <= c->threads);
    c->threads += e->thread == c->threads;
    MUST(e->time_ns >= c->time_ns);
    c->time_ns = e->time_ns;
    MUST(!__builtin_mul_overflow(e->count, e->size, &bytes));
    MUST(e->alignment_log2 < 64);
    MUST(e->stack <= hm_trace_totals(reader)->stacks);
    size_t count = hm_trace_stack(reader, e->stack, frames, 4);
    for (size_t i = 0; i < count && i < 4; i++)
        c->sum += strlen(frames[i].module) + strlen(frames[i].build_id) + frames[i].offset;
    c->sum = c->sum * 31 + e->size + e->block + e->kind;
    c->events++;
}

static int read_all(struct hm_trace_reader *reader, struct check *c) {
    struct hm_trace_event event;
    int more;
    *c = (struct check){0};
    while ((more = hm_trace_next(reader, &event)) == 1)
        check_event(c, reader, &event);
    MUST(more == 0 || (hm_trace_why(reader)[0] && !strchr(hm_trace_why(reader), '\n')));
    MUST(hm_trace_next(reader, &event) == more);
    return more;
}

static void read_file(const char *path) {
    struct hm_trace_reader *reader = NULL;
    char why[HM_TRACE_WHY_BYTES] = "";
    struct check first;
    struct check again;
    if (hm_trace_open(path, &reader, why)) {
        MUST(why[0] && !strchr(why, '\n') && !reader);
        return;
    }
    int end = read_all(reader, &first);
    MUST(hm_trace_rewind(reader) == 0);
    MUST(read_all(reader, &again) == end);
    MUST(memcmp(&first, &again, sizeof first) == 0);
    hm_trace_close(reader);
}

/* Checksums and what else no mutation gets right. */
static void mend(uint8_t *bytes, size_t size) {
    if (size < HM_TRACE_HEAD_BYTES)
        return;
    memcpy(bytes, HM_TRACE_MAGIC, HM_TRACE_MAGIC_BYTES);
    hm_trace_put_fixed(bytes + 8, HM_TRACE_VERSION, 8);
    for (size_t at = HM_TRACE_HEAD_BYTES; size - at >= HM_TRACE_FRAME_BYTES;) {
        uint8_t *frame = bytes + at;
        size_t rest = size - at - HM_TRACE_FRAME_BYTES;
        size_t stored = hm_trace_get_fixed(frame + 12, 4);
        stored = stored < rest ? stored : rest;
        hm_trace_put_fixed(frame + 2, 0, 2);
        hm_trace_put_fixed(frame + 12, stored, 4);
        if (frame[1] == HM_TRACE_STORED)
            hm_trace_put_fixed(frame + 8, stored, 4);
        hm_trace_put_fixed(frame + 16, at, 8);
        uint64_t seed = XXH3_64bits(frame, HM_TRACE_CHECKED_BYTES);
        uint64_t sum = XXH3_64bits_withSeed(frame + HM_TRACE_FRAME_BYTES, stored, seed);
        hm_trace_put_fixed(frame + HM_TRACE_CHECKED_BYTES, sum, 8);
        at += HM_TRACE_FRAME_BYTES + stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct memory_file file;
    static uint8_t mended[INPUT_MAX];
    if (size > sizeof mended)
        return 0;
    read_file(put_memory_file(&file, data, size));
    memcpy(mended, data, size);
    mend(mended, size);
    read_file(put_memory_file(&file, mended, size));
    return 0;
}
