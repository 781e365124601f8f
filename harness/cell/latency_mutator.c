/* The mutator's operations of the latency pass.
 *
 * What a call does in turn is a part of it: the stores of a finalizer that it runs have no time of their
 * own. Only what a workload asks for is recorded, and all that is written is written after the second
 * reading. */
#include "harness/cell/latency_mutator.h"

#include "collectors/safepoint.h"
#include "harness/cell/latency.h"
#include "harness/cell/latency_record.h"
#include "harness/sim/mutators.h"

#include <errno.h>

const struct hm_sim_mutator *hm_latency_inner;

int hm_latency_on_objects(const struct hm_collector *collector) {
    hm_latency_inner = hm_sim_mutator_find(collector);
    hm_ticks_open();
    return hm_latency_inner ? 0 : ENOTSUP;
}

static bool is_recording(void) {
    return hm_latency_is_recording() && !hm_latency.whole && !hm_latency_own->inside;
}

/* INNER is evaluated between the readings, when there are any. */
#define TIMED(call, INNER)                                                                         \
    do {                                                                                           \
        if (!is_recording()) {                                                                     \
            INNER;                                                                                 \
            break;                                                                                 \
        }                                                                                          \
        hm_latency_own->inside = true;                                                             \
        uint64_t begin_ = hm_ticks_begin();                                                        \
        INNER;                                                                                     \
        uint64_t end_ = hm_ticks_end();                                                            \
        hm_latency_own->inside = false;                                                            \
        hm_latency_note(hm_latency_kind(call, 0), begin_, end_);                                   \
    } while (0)

struct hm_object *hm_latency_new(struct hm_mutator *m, const struct hm_type *type,
                                 uint32_t length) {
    struct hm_object *(*inner)(struct hm_mutator *, const struct hm_type *, uint32_t) =
        hm_latency_inner->new;
    struct hm_object *object;
    TIMED(HM_LATENCY_NEW, object = inner(m, type, length));
    return object;
}

void hm_latency_store(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                      struct hm_object *value) {
    void (*inner)(struct hm_mutator *, struct hm_object *, uint32_t, struct hm_object *) =
        hm_latency_inner->store;
    TIMED(HM_LATENCY_STORE, inner(m, object, slot, value));
}

/* Where a workload says what is dead, nothing ever dies of a release. */
void hm_latency_release(struct hm_mutator *m, struct hm_object *object) {
    void (*inner)(struct hm_mutator *, struct hm_object *) = hm_latency_inner->release;
    if (object && !hm_latency_inner->dispose)
        TIMED(HM_LATENCY_RELEASE, inner(m, object));
    else
        inner(m, object);
}

void hm_latency_dispose(struct hm_mutator *m, struct hm_object *object) {
    void (*inner)(struct hm_mutator *, struct hm_object *) = hm_latency_inner->dispose;
    if (inner)
        TIMED(HM_LATENCY_RELEASE, inner(m, object));
}

/* ---- Whole operations ---- */

/* A thread that waits for its time is at rest: others have their turns, and may collect. */
static uint64_t wait_until_due(void) {
    uint64_t now = hm_ticks_begin();
    uint64_t due = hm_latency_due(now);
    if (now >= due)
        return due;
    hm_mutators_leave();
    while (now < due)
        now = hm_ticks_begin();
    hm_mutators_enter();
    return due;
}

bool hm_latency_op(const struct hm_workload *workload, struct hm_run *run) {
    if (!hm_latency_is_recording())
        return workload->run(run, 1) == 1;
    bool open = hm_latency.gap_ticks > 0;
    uint64_t due = open ? wait_until_due() : 0;
    uint64_t begin = hm_ticks_begin();
    bool done = workload->run(run, 1) == 1;
    uint64_t end = hm_ticks_end();
    hm_latency_note(hm_latency_kind(HM_LATENCY_OP, 0), begin, end);
    if (open)
        hm_latency_respond(due, end);
    return done;
}
