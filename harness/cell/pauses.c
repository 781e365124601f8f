/* Records the pauses of one thread's collector. */
#include "harness/cell/pauses.h"

#include "harness/cell/engine.h"
#include "workloads/scratch.h"

#include <errno.h>

static void on_begin(void *arg, int generation) {
    struct hm_pauses *p = arg;
    (void)generation;
    if (p->recording)
        p->begin_ns = hm_engine_now_ns();
}

static void on_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    struct hm_pauses *p = arg;
    (void)generation;
    (void)visited;
    (void)freed;
    if (!p->recording)
        return;
    uint64_t length = hm_engine_now_ns() - p->begin_ns;
    if (p->count < HM_PAUSES_KEPT)
        p->kept[p->count] = (struct hm_pause){p->begin_ns - p->zero_ns, length};
    p->count++;
    p->total_ns += length;
    if (length > p->longest_ns)
        p->longest_ns = length;
}

int hm_pauses_open(struct hm_pauses *pauses) {
    *pauses = (struct hm_pauses){.kept = hm_scratch(HM_PAUSES_KEPT * sizeof *pauses->kept)};
    pauses->events = (struct hm_gc_events){on_begin, on_end, pauses};
    return pauses->kept ? 0 : ENOMEM;
}

void hm_pauses_reset(struct hm_pauses *pauses) {
    pauses->count = pauses->settled = 0;
    pauses->total_ns = 0;
    pauses->longest_ns = 0;
    pauses->recording = !pauses->silent;
}

void hm_pauses_settle(struct hm_pauses *pauses, uint64_t zero_ns) {
    for (; pauses->settled < pauses->count && pauses->settled < HM_PAUSES_KEPT; pauses->settled++)
        pauses->kept[pauses->settled].begin_ns -= zero_ns - pauses->zero_ns;
}
