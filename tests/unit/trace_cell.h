/* What the tests of the workload `trace` share: recordings drawn at random and written to a file, and a heap
 * that notes the calls made on it.
 *
 * The heap numbers its blocks 1, 2, .. as they are allocated and keeps the number through a realloc, as a
 * trace does. So what it notes can be foretold from the events alone. */
#ifndef HM_TESTS_UNIT_TRACE_CELL_H
#define HM_TESTS_UNIT_TRACE_CELL_H

#include "harness/plan/registry.h"
#include "traces/trace.h"
#include "workloads/scratch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    EVENTS = 20000,
    WORKERS = 4,
    HEADER_BYTES = 64,
};

/* ---- Recordings ---- */

static struct hm_trace_event events[EVENTS];
static size_t event_count;
static char trace_path[64];

struct recording {
    unsigned threads;
    unsigned live; /* blocks, about */
    bool plain;    /* malloc and free alone */
    unsigned inherited;
    uint64_t seed;
    unsigned
        leave; /* percent of the blocks that are freed by who allocated them; the rest by anybody */
};

struct known {
    uint64_t block;
    uint32_t thread;
};

static struct known known[EVENTS];
static size_t known_count;

static inline struct hm_trace_event *add_event(unsigned kind, uint32_t thread, uint64_t block,
                                               uint64_t size) {
    assert_true(event_count < EVENTS);
    events[event_count] = (struct hm_trace_event){
        .kind = (uint8_t)kind, .thread = thread, .block = block, .count = 1, .size = size};
    return &events[event_count++];
}

static inline void add_allocation(struct hm_random *random, uint64_t block, uint32_t thread,
                                  bool plain) {
    uint64_t size =
        hm_random_below(random, 8) ? hm_random_below(random, 200) : hm_random_below(random, 20000);
    struct hm_trace_event *event = add_event(HM_TRACE_MALLOC, thread, block, size);
    known[known_count++] = (struct known){block, thread};
    uint64_t dice = hm_random_below(random, 20);
    if (plain || dice > 5)
        return;
    if (dice < 3) {
        event->kind = HM_TRACE_CALLOC;
        event->count = hm_random_below(random, 5);
    } else {
        static const uint8_t kinds[] = {HM_TRACE_ALIGNED_ALLOC, HM_TRACE_POSIX_MEMALIGN,
                                        HM_TRACE_MEMALIGN};
        event->kind = kinds[dice - 3];
        event->alignment_log2 = (uint8_t)(4 + hm_random_below(random, 9));
    }
}

/* What a replay leaves out. */
static inline void add_noise(struct hm_random *random, uint32_t thread) {
    switch (hm_random_below(random, 3)) {
    case 0:
        add_event(HM_TRACE_MALLOC, thread, HM_TRACE_NULL, 1 << 20)->failed = true;
        return;
    case 1:
        add_event(HM_TRACE_FREE, thread, HM_TRACE_NULL, 0);
        return;
    default:
        add_event(HM_TRACE_FREE, thread, HM_TRACE_FOREIGN, 0);
    }
}

static inline void add_use(struct hm_random *random, uint32_t thread,
                           const struct recording *kind) {
    size_t at = (size_t)hm_random_below(random, known_count);
    struct known *chosen = &known[at];
    if (hm_random_below(random, 100) < kind->leave)
        thread = chosen->thread;
    uint64_t dice = kind->plain ? 9 : hm_random_below(random, 12);
    if (dice < 2) {
        struct hm_trace_event *event =
            add_event(HM_TRACE_REALLOC, thread, chosen->block, 1 + hm_random_below(random, 3000));
        if (dice && event->size < 500) {
            event->kind = HM_TRACE_REALLOCARRAY;
            event->count = 1 + hm_random_below(random, 4);
        }
    } else if (dice < 3) {
        add_event(HM_TRACE_USABLE, thread, chosen->block, 0);
    } else {
        add_event(HM_TRACE_FREE, thread, chosen->block, 0);
        *chosen = known[--known_count];
    }
}

static inline void draw_events(const struct recording *kind, size_t count) {
    struct hm_random random = {kind->seed};
    uint64_t block = 0;
    event_count = known_count = 0;
    for (unsigned i = 0; i < kind->inherited; i++) {
        known[known_count++] = (struct known){++block, 0};
        add_event(HM_TRACE_INHERITED, 0, block, hm_random_below(&random, 300));
    }
    for (uint32_t thread = 0; event_count < count; thread++) {
        uint32_t by =
            thread < kind->threads ? thread : (uint32_t)hm_random_below(&random, kind->threads);
        if (thread < kind->threads)
            add_event(HM_TRACE_THREAD_BEGIN, by, 0, 0);
        if (!kind->plain && hm_random_below(&random, 10) == 0)
            add_noise(&random, by);
        else if (!known_count || hm_random_below(&random, 2ull * kind->live) >= known_count)
            add_allocation(&random, ++block, by, kind->plain);
        else
            add_use(&random, by, kind);
    }
}

static inline void write_trace(void) {
    static const struct hm_trace_facts facts = {
        .program = "test", .command = "", .recorder = "test", .machine = ""};
    struct hm_trace_writer *writer;
    if (!trace_path[0])
        snprintf(trace_path, sizeof trace_path, "/tmp/trace_test_%ld.hmtrace", (long)getpid());
    unlink(trace_path);
    assert_int_equal(hm_trace_create(trace_path, &facts, &writer), 0);
    for (size_t i = 0; i < event_count; i++)
        if (hm_trace_add(writer, &events[i]))
            fail_msg("event %zu, %s, is refused", i, hm_trace_kind_names[events[i].kind]);
    assert_int_equal(hm_trace_finish(writer, HM_TRACE_END_EXIT, 0, 0, NULL), 0);
}

static inline void draw_trace(const struct recording *kind, size_t count) {
    draw_events(kind, count);
    write_trace();
}

static inline int remove_trace(void **state) {
    (void)state;
    unlink(trace_path);
    return 0;
}

/* ---- The heap that notes ---- */

struct noted_block {
    uint64_t number;
    size_t size;
    size_t offset; /* of the block from what libc gave */
};

static struct {
    pthread_mutex_t lock;
    uint64_t digest; /* of the calls, in order */
    uint64_t calls;
    uint64_t next;
    uint64_t live_bytes;
    uint64_t live_blocks;
    uint64_t peak_bytes;
    uint64_t fail_at; /* the call that gets no memory, from 1; 0: none */
    uint64_t allocations;
} noted = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void note_digest(uint64_t *digest, char call, uint64_t number, uint64_t bytes,
                               uint64_t alignment) {
    *digest = hm_mix(*digest + (uint64_t)call);
    *digest = hm_mix(*digest + number);
    *digest = hm_mix(*digest + bytes);
    *digest = hm_mix(*digest + alignment);
}

static inline struct noted_block *noted_of(void *block) {
    return (struct noted_block *)(void *)((char *)block - sizeof(struct noted_block));
}

static inline void note(char call, uint64_t number, uint64_t bytes, uint64_t alignment) {
    note_digest(&noted.digest, call, number, bytes, alignment);
    noted.calls++;
}

static inline void note_live(uint64_t more, uint64_t less) {
    noted.live_bytes += more - less;
    if (noted.live_bytes > noted.peak_bytes)
        noted.peak_bytes = noted.live_bytes;
}

static inline bool noted_refuses(void) {
    return ++noted.allocations == noted.fail_at;
}

static inline void *noted_new(char call, size_t bytes, size_t alignment) {
    size_t offset = alignment > HEADER_BYTES ? alignment : HEADER_BYTES;
    pthread_mutex_lock(&noted.lock);
    char *base =
        noted_refuses() ? NULL : aligned_alloc(offset, (offset + bytes + offset) & -offset);
    if (base) {
        memset(base + offset, 0xee, bytes);
        *noted_of(base + offset) = (struct noted_block){++noted.next, bytes, offset};
        noted.live_blocks++;
        note(call, noted.next, bytes, alignment);
        note_live(bytes, 0);
    }
    pthread_mutex_unlock(&noted.lock);
    return base ? base + offset : NULL;
}

static inline void *noted_malloc(size_t bytes) {
    return noted_new('m', bytes, 0);
}

static inline void *noted_calloc(size_t count, size_t size) {
    void *block = noted_new('c', count * size, 0);
    return block ? memset(block, 0, count * size) : NULL;
}

static inline void *noted_aligned(size_t alignment, size_t bytes) {
    return noted_new('a', bytes, alignment);
}

static inline void noted_free(void *block) {
    assert_non_null(block);
    struct noted_block header = *noted_of(block);
    pthread_mutex_lock(&noted.lock);
    noted.live_blocks--;
    note('f', header.number, 0, 0);
    note_live(0, header.size);
    pthread_mutex_unlock(&noted.lock);
    free((char *)block - header.offset);
}

static inline void *noted_realloc(void *block, size_t bytes) {
    assert_non_null(block);
    struct noted_block header = *noted_of(block);
    pthread_mutex_lock(&noted.lock);
    char *base =
        noted_refuses()
            ? NULL
            : aligned_alloc(HEADER_BYTES, (bytes + 2 * HEADER_BYTES) & -(size_t)HEADER_BYTES);
    if (base) {
        memcpy(base + HEADER_BYTES, block, bytes < header.size ? bytes : header.size);
        *noted_of(base + HEADER_BYTES) = (struct noted_block){header.number, bytes, HEADER_BYTES};
        note('r', header.number, bytes, 0);
        note_live(bytes, header.size);
    }
    pthread_mutex_unlock(&noted.lock);
    if (base)
        free((char *)block - header.offset);
    return base ? base + HEADER_BYTES : NULL;
}

static inline size_t noted_usable(void *block) {
    struct noted_block header = *noted_of(block);
    pthread_mutex_lock(&noted.lock);
    note('u', header.number, 0, 0);
    pthread_mutex_unlock(&noted.lock);
    return header.size;
}

static inline struct hm_memory noted_memory(void) {
    static const struct hm_allocator noting = {.name = "noted", .caps = HM_CAP_THREADS};
    return (struct hm_memory){.allocator = &noting,
                              .shape = HM_SHAPE_LIBC,
                              .libc = {noted_malloc, noted_calloc, noted_realloc, noted_aligned,
                                       noted_free, noted_usable}};
}

static inline void note_afresh(void) {
    noted.digest = noted.calls = noted.next = noted.peak_bytes = 0;
    noted.allocations = noted.fail_at = 0;
}

/* What the heap will have noted, from the events. */
static inline uint64_t foretold_digest(void) {
    static const char calls[HM_TRACE_KINDS] = "mcrraaaaamfu";
    uint64_t digest = 0;
    for (size_t i = 0; i < event_count; i++) {
        const struct hm_trace_event *e = &events[i];
        if (e->failed || e->kind >= HM_TRACE_THREAD_BEGIN || e->block == HM_TRACE_NULL ||
            e->block == HM_TRACE_FOREIGN)
            continue;
        bool sizeless = e->kind == HM_TRACE_FREE || e->kind == HM_TRACE_USABLE;
        note_digest(&digest, calls[e->kind], e->block, sizeless ? 0 : e->count * e->size,
                    e->alignment_log2 ? UINT64_C(1) << e->alignment_log2 : 0);
    }
    return digest;
}

/* ---- The workload ---- */

struct cell {
    const struct hm_workload *workload;
    struct hm_value values[4];
    struct hm_memory memory;
    void *shared;
    size_t shared_bytes;
    unsigned threads;
    struct hm_run runs[WORKERS];
    uint64_t done[WORKERS];
};

enum touch {
    TOUCH_NONE,
    TOUCH_FIRST,
    TOUCH_PAGES,
    TOUCH_ALL,
};

static inline void open_cell(struct cell *cell, struct hm_memory memory, unsigned threads,
                             enum touch touch) {
    *cell = (struct cell){.workload = hm_workload_variant("trace", memory.shape, NULL),
                          .memory = memory,
                          .threads = threads};
    assert_non_null(cell->workload);
    cell->values[0].text = trace_path;
    cell->values[1].number = touch;
    cell->shared_bytes = cell->workload->shared_bytes(cell->values, threads);
    cell->shared = hm_scratch(cell->shared_bytes);
    for (unsigned i = 0; i < threads; i++) {
        cell->runs[i] = (struct hm_run){.memory = &cell->memory,
                                        .params = cell->values,
                                        .thread = i,
                                        .threads = threads,
                                        .shared = cell->shared};
        int bad = cell->workload->setup(&cell->runs[i]);
        if (bad)
            fail_msg("set-up: %s", cell->runs[i].failed ? cell->runs[i].failed : strerror(bad));
    }
}

static inline void close_cell(struct cell *cell) {
    for (unsigned i = 0; i < cell->threads; i++)
        cell->workload->teardown(&cell->runs[i]);
    hm_scratch_free(cell->shared, cell->shared_bytes);
    assert_int_equal(noted.live_blocks, 0);
    assert_int_equal(noted.live_bytes, 0);
}

#endif
