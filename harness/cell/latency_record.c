/* What the latency pass writes down of single calls. */
#include "harness/cell/latency_record.h"

#include "harness/cell/engine.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <pthread.h>

struct hm_latency hm_latency;
__thread struct hm_latency_thread *hm_latency_own;

static struct {
    pthread_mutex_t mutex;
    struct hm_latency_thread *all, *unused;
} records = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- Threads ---- */

int hm_latency_enter(void) {
    pthread_mutex_lock(&records.mutex);
    struct hm_latency_thread *r = records.unused;
    if (r) {
        records.unused = r->unused;
    } else if ((r = hm_scratch(sizeof *r))) {
        r->next = records.all;
        records.all = r;
    }
    hm_latency_own = r;
    pthread_mutex_unlock(&records.mutex);
    return r ? 0 : ENOMEM;
}

void hm_latency_leave(void) {
    pthread_mutex_lock(&records.mutex);
    if (hm_latency_own) {
        hm_latency_own->unused = records.unused;
        records.unused = hm_latency_own;
    }
    hm_latency_own = NULL;
    pthread_mutex_unlock(&records.mutex);
}

/* ---- Calls ---- */

/* In place of the shortest of those that are kept. */
static void keep_stall(struct hm_latency_record *r, const struct hm_stall *stall) {
    unsigned shortest = 0;
    for (unsigned i = 1; i < HM_LATENCY_STALLS; i++)
        if (r->stalls[i].parts < r->stalls[shortest].parts)
            shortest = i;
    if (stall->parts <= r->stalls[shortest].parts)
        return;
    r->stalls[shortest] = *stall;
    r->stall_most = UINT64_MAX;
    for (unsigned i = 0; i < HM_LATENCY_STALLS; i++)
        if (r->stalls[i].parts < r->stall_most)
            r->stall_most = r->stalls[i].parts;
}

void hm_latency_note(unsigned kind, uint64_t begin, uint64_t end) {
    struct hm_latency_record *r = &hm_latency_own->kept;
    uint64_t parts = hm_ticks_parts(begin, end);
    hm_histogram_count(&r->kinds[kind], parts);
    if (parts <= r->stall_most)
        return;
    double since_ns = (double)(begin - hm_latency.on_ticks) * hm_ticks.ns_per_tick;
    keep_stall(r, &(struct hm_stall){.parts = parts,
                                     .t_ns = hm_latency.on_ns + (uint64_t)since_ns,
                                     .thread = hm_engine_thread,
                                     .kind = (uint8_t)kind});
}

/* ---- Open loops ---- */

uint64_t hm_latency_due(uint64_t now) {
    struct hm_latency_thread *own = hm_latency_own;
    if (own->step != hm_latency.step) {
        own->step = hm_latency.step;
        own->first_ticks = now;
        own->sent = 0;
    }
    return own->first_ticks + (uint64_t)((double)own->sent++ * hm_latency.gap_ticks);
}

uint64_t hm_latency_wait_until_due(void) {
    uint64_t now = hm_ticks_begin();
    uint64_t due = hm_latency_due(now);
    while (now < due)
        now = hm_ticks_begin();
    return due;
}

void hm_latency_respond(uint64_t due, uint64_t end) {
    hm_histogram_count(&hm_latency_own->kept.response, hm_ticks_parts(due, end));
}

void hm_latency_open_loop(uint64_t rate) {
    hm_latency.gap_ticks = rate ? 1e9 / (double)rate / hm_ticks.ns_per_tick : 0;
}

/* ---- All threads ---- */

void hm_latency_record(bool on, uint64_t done_ns) {
    hm_latency.on_ticks = hm_ticks_begin();
    hm_latency.on_ns = done_ns;
    hm_latency.step += on;
    hm_latency.on = on;
}

uint64_t hm_latency_calls(void) {
    uint64_t calls = 0;
    for (const struct hm_latency_thread *r = records.all; r; r = r->next)
        calls += r->kept.calls;
    return calls;
}

const struct hm_latency_record *hm_latency_merge(void) {
    struct hm_latency_record *sum = hm_scratch(sizeof *sum);
    for (const struct hm_latency_thread *r = sum ? records.all : NULL; r; r = r->next) {
        for (unsigned kind = 0; kind < HM_LATENCY_KINDS; kind++)
            hm_histogram_add(&sum->kinds[kind], &r->kept.kinds[kind]);
        hm_histogram_add(&sum->response, &r->kept.response);
        sum->calls += r->kept.calls;
        for (unsigned i = 0; i < HM_LATENCY_STALLS; i++)
            keep_stall(sum, &r->kept.stalls[i]);
    }
    return sum;
}
