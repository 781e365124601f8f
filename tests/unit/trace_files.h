/* Traces for tests: a folder of their own, events drawn at random, and what a file says of them. */
#ifndef HM_TESTS_TRACE_FILES_H
#define HM_TESTS_TRACE_FILES_H

#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char trace_folder[64];
static char trace_path[80];

static inline int make_trace_folder(void **state) {
    (void)state;
    /* in memory where there is such a place: the writer waits for the disk */
    snprintf(trace_folder, sizeof trace_folder, "%s/heapmark-trace-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(trace_folder))
        return -1;
    snprintf(trace_path, sizeof trace_path, "%s/t.hmt", trace_folder);
    return 0;
}

/* It is empty when nothing was left behind. */
static inline void assert_nothing_is_left(void) {
    unlink(trace_path);
    assert_int_equal(rmdir(trace_folder), 0);
    assert_int_equal(mkdir(trace_folder, 0700), 0);
}

static inline int remove_trace_folder(void **state) {
    (void)state;
    unlink(trace_path);
    return rmdir(trace_folder);
}

static const struct hm_trace_facts trace_facts = {
    .program = "/usr/bin/program",
    .command = "program 'an argument'",
    .recorder = "a test",
    .machine = "Linux 6.1 x86_64",
    .pid = 4711,
    .started_utc = -3,
    .page_bytes = 4096,
    .has_times = true,
    .has_stacks = true,
};

static inline struct hm_trace_writer *new_trace(const struct hm_trace_facts *facts) {
    struct hm_trace_writer *writer = NULL;
    unlink(trace_path);
    assert_int_equal(hm_trace_create(trace_path, facts, &writer), 0);
    return writer;
}

static inline struct hm_trace_reader *open_trace(void) {
    struct hm_trace_reader *reader = NULL;
    char why[HM_TRACE_WHY_BYTES] = "";
    if (hm_trace_open(trace_path, &reader, why))
        fail_msg("%s", why);
    return reader;
}

static inline void assert_same_event(const struct hm_trace_event *a,
                                     const struct hm_trace_event *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->alignment_log2, b->alignment_log2);
    assert_int_equal(a->failed, b->failed);
    assert_int_equal(a->thread, b->thread);
    assert_int_equal(a->stack, b->stack);
    assert_int_equal(a->block, b->block);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->time_ns, b->time_ns);
}

/* ---- Events at random ---- */

enum {
    TRACE_LIVE_MAX = 1000,
};

struct trace_random {
    uint64_t state;
    uint64_t live[TRACE_LIVE_MAX];
    unsigned live_count;
    uint64_t blocks;
    uint32_t threads, stacks;
    uint64_t time_ns;
};

static inline uint64_t trace_draw(struct trace_random *r, uint64_t n) {
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (r->state >> 33) % n;
}

/* Mostly small numbers, sometimes any. */
static inline uint64_t trace_draw_size(struct trace_random *r) {
    return trace_draw(r, 50) ? trace_draw(r, 300) : trace_draw(r, UINT64_C(1) << 31) << 10;
}

static inline void trace_draw_allocation(struct trace_random *r, struct hm_trace_event *e) {
    bool is_aligned = e->kind >= HM_TRACE_ALIGNED_ALLOC;
    e->size = trace_draw_size(r);
    e->count = e->kind == HM_TRACE_CALLOC ? trace_draw(r, 20) : 1;
    e->alignment_log2 = (uint8_t)(is_aligned ? trace_draw(r, 20) : 0);
    e->failed = e->kind != HM_TRACE_INHERITED && !trace_draw(r, 30);
    if (!e->failed)
        r->live[r->live_count++] = e->block = ++r->blocks;
}

static inline void trace_draw_named(struct trace_random *r, struct hm_trace_event *e) {
    unsigned which = (unsigned)trace_draw(r, r->live_count + 1);
    bool resizes = hm_trace_is_realloc(e->kind);
    if (which < r->live_count)
        e->block = r->live[which];
    else
        e->block = resizes || trace_draw(r, 2) ? HM_TRACE_FOREIGN : HM_TRACE_NULL;
    if (resizes) {
        e->size = trace_draw_size(r);
        e->count = e->kind == HM_TRACE_REALLOCARRAY ? trace_draw(r, 20) : 1;
        e->failed = !trace_draw(r, 30);
    }
    if (e->kind == HM_TRACE_FREE && which < r->live_count)
        r->live[which] = r->live[--r->live_count];
}

/* One that can follow on those before it. */
static inline struct hm_trace_event trace_draw_event(struct trace_random *r) {
    struct hm_trace_event e = {.count = 1, .thread = (uint32_t)trace_draw(r, r->threads + 1)};
    if (e.thread == r->threads && r->threads > 5)
        e.thread = 0;
    r->threads += e.thread == r->threads;
    r->time_ns += trace_draw(r, 3) ? trace_draw(r, 400) : 0;
    e.time_ns = r->time_ns;
    e.stack = (uint32_t)trace_draw(r, r->stacks + 1);
    do
        e.kind = (uint8_t)(trace_draw(r, 2) ? trace_draw(r, HM_TRACE_KINDS) : HM_TRACE_FREE);
    while (hm_trace_is_allocation(e.kind) && r->live_count == TRACE_LIVE_MAX);
    if (hm_trace_is_allocation(e.kind))
        trace_draw_allocation(r, &e);
    else if (e.kind < HM_TRACE_THREAD_BEGIN)
        trace_draw_named(r, &e);
    return e;
}

#endif
