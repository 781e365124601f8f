/* Random events as a trace has them, and the same as a list of stays: the model that sums are compared
 * with. A stay is a block between two events that made or freed it; a reallocation ends one and
 * begins the next. Everything is kept, and every question is answered by looking at all of it. */
#ifndef HM_TESTS_UNIT_RANDOM_TRACE_H
#define HM_TESTS_UNIT_RANDOM_TRACE_H

#include "traces/trace.h"

#include <string.h>

enum {
    RANDOM_EVENTS = 300,
    RANDOM_THREADS = 3,
    NEVER = RANDOM_EVENTS,
};

struct stay {
    uint64_t block;
    uint64_t bytes;
    uint32_t site;
    int from, to; /* events; to == NEVER: live at the end */
    bool inherited;
    bool foreign; /* a foreign block that was reallocated: it is never live */
};

struct random_trace {
    struct hm_trace_event events[RANDOM_EVENTS];
    uint32_t sites[RANDOM_EVENTS];
    struct stay stays[RANDOM_EVENTS];
    int count;
    uint64_t blocks;
    uint64_t state;
    uint64_t now_ns;
};

/* splitmix64 (Vigna) */
static inline uint64_t random_below(struct random_trace *t, uint64_t bound) {
    uint64_t z = t->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % bound;
}

static inline struct stay *random_live(struct random_trace *t) {
    for (int tries = 0; t->count && tries < 20; tries++) {
        struct stay *stay = &t->stays[random_below(t, (uint64_t)t->count)];
        if (stay->to == NEVER && !stay->foreign)
            return stay;
    }
    return NULL;
}

static inline void random_stay(struct random_trace *t, int at, uint64_t block) {
    const struct hm_trace_event *e = &t->events[at];
    t->stays[t->count++] = (struct stay){.block = block,
                                         .bytes = e->count * e->size,
                                         .site = t->sites[at],
                                         .from = at,
                                         .to = NEVER,
                                         .inherited = e->kind == HM_TRACE_INHERITED,
                                         .foreign = block == HM_TRACE_FOREIGN};
}

static inline void random_allocation(struct random_trace *t, int at) {
    struct hm_trace_event *e = &t->events[at];
    e->kind = random_below(t, 4) ? HM_TRACE_MALLOC : HM_TRACE_CALLOC;
    if (at < 10 && !random_below(t, 2))
        e->kind = HM_TRACE_INHERITED;
    e->count = e->kind == HM_TRACE_CALLOC ? random_below(t, 4) : 1;
    e->failed = e->kind != HM_TRACE_INHERITED && !random_below(t, 10);
    if (e->failed)
        return;
    e->block = ++t->blocks;
    random_stay(t, at, e->block);
}

/* A free or a reallocation; of what is live, foreign, or NULL. */
static inline void random_change(struct random_trace *t, int at) {
    struct hm_trace_event *e = &t->events[at];
    struct stay *stay = random_live(t);
    bool resizes = !random_below(t, 3);
    e->kind = resizes ? HM_TRACE_REALLOC : HM_TRACE_FREE;
    if (!stay || !random_below(t, 12)) {
        e->block = resizes || random_below(t, 2) ? HM_TRACE_FOREIGN : HM_TRACE_NULL;
        if (resizes)
            random_stay(t, at, HM_TRACE_FOREIGN);
        return;
    }
    e->block = stay->block;
    e->failed = resizes && !random_below(t, 8);
    if (e->failed)
        return;
    stay->to = at;
    if (resizes)
        random_stay(t, at, e->block);
}

static inline void random_event(struct random_trace *t, int at, uint32_t sites) {
    struct hm_trace_event *e = &t->events[at];
    *e = (struct hm_trace_event){.count = 1,
                                 .size = random_below(t, 8) ? random_below(t, 100)
                                                            : random_below(t, 5000),
                                 .thread = (uint32_t)random_below(t, RANDOM_THREADS),
                                 .time_ns = t->now_ns += random_below(t, 50)};
    t->sites[at] = (uint32_t)random_below(t, sites);
    uint64_t what = random_below(t, 20);
    if (what == 0)
        e->kind = HM_TRACE_THREAD_BEGIN;
    else if (what == 1)
        e->kind = HM_TRACE_USABLE;
    else if (what < 11)
        random_allocation(t, at);
    else
        random_change(t, at);
}

static inline void random_trace(struct random_trace *t, uint64_t seed, uint32_t sites) {
    memset(t, 0, sizeof *t);
    t->state = seed;
    for (int i = 0; i < RANDOM_EVENTS; i++)
        random_event(t, i, sites);
}

/* ---- Questions ---- */

static inline bool is_operation(const struct hm_trace_event *event) {
    return event->kind < HM_TRACE_THREAD_BEGIN && event->kind != HM_TRACE_INHERITED;
}

/* Whether a stay is live once an event is over. */
static inline bool is_live(const struct stay *stay, int event) {
    return !stay->foreign && stay->from <= event && event < stay->to;
}

#endif
