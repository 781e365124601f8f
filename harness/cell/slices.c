/* Turns. */
#include "harness/cell/slices.h"

#include "harness/cell/channel.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

enum {
    SLICES_MAX = 10000,
    SHORTEST_LED = 16, /* units in a slice */
    LEAD_PART = 4,     /* of the slice, on average */
    WAKE_NS = 200000,  /* a core that was idle, and threads that slept, are up to speed by then */
    GATHER_NS = 30000, /* threads that have just worked */
};

unsigned hm_slices_count(uint64_t units, double unit_ns, double slice_ns) {
    double slices = round((double)units * unit_ns / slice_ns);
    double most = units < SLICES_MAX ? (double)units : SLICES_MAX;
    return slices >= 1 ? (unsigned)fmin(slices, fmax(most, 1)) : 1;
}

uint64_t hm_slices_units(uint64_t units, unsigned slices, unsigned slice) {
    return units / slices + (slice < units % slices);
}

bool hm_slices_may_be_led(const struct hm_workload_spec *workload, unsigned threads) {
    const struct hm_workload *w = workload->part;
    bool starts_threads = w->own_threads && w->own_threads(workload->params.values, threads) > 0;
    return w->kind == HM_WORKLOAD_HEAP && !w->prepare && !w->measure && !starts_threads;
}

uint64_t hm_slices_leads(uint64_t units, unsigned slices) {
    return units / slices >= SHORTEST_LED ? units / (LEAD_PART + 1) : 0;
}

uint64_t hm_slices_lead(uint64_t share, unsigned char draw, uint64_t left) {
    uint64_t lead = (uint64_t)((double)share * (128 + draw) / (256 * LEAD_PART));
    return lead < left ? lead : left;
}

/* @return the draw of the turn, which is the same for all arms */
static unsigned char wait_for_turn(unsigned done) {
    unsigned char draw;
    ssize_t got;
    hm_tell("slice %u", done);
    hm_tell_flush();
    do
        got = read(HM_TURN_FD, &draw, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        hm_tell_failure("interrupted", "there are no more turns");
    return draw;
}

double hm_slices_run(struct hm_engine *engine, uint64_t units, uint64_t leads, unsigned slices) {
    uint64_t left = leads;
    double seconds = 0;
    for (unsigned i = 0; i < slices; i++) {
        uint64_t share = hm_slices_units(units, slices, i);
        uint64_t lead = hm_slices_lead(share, wait_for_turn(i), left);
        if (lead)
            hm_engine_skip(engine, lead);
        left -= lead;
        seconds += hm_engine_run_on(engine, share, lead ? GATHER_NS : WAKE_NS);
    }
    wait_for_turn(slices);
    if (left) /* so that the work is the same in each round */
        hm_engine_skip(engine, left);
    return seconds;
}
