/* Turns. */
#include "harness/cell/slices.h"

#include "harness/cell/channel.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

enum {
    SLICES_MAX = 10000,
    LEAD_NS = 200000, /* a core that was idle, and threads that slept, are up to speed by then */
};

unsigned hm_slices_count(uint64_t units, double unit_ns, double slice_ns) {
    double slices = round((double)units * unit_ns / slice_ns);
    double most = units < SLICES_MAX ? (double)units : SLICES_MAX;
    return slices >= 1 ? (unsigned)fmin(slices, fmax(most, 1)) : 1;
}

uint64_t hm_slices_units(uint64_t units, unsigned slices, unsigned slice) {
    return units / slices + (slice < units % slices);
}

static void wait_for_turn(unsigned done) {
    char turn;
    ssize_t got;
    hm_tell("slice %u", done);
    hm_tell_flush();
    do
        got = read(HM_TURN_FD, &turn, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1)
        hm_tell_failure("interrupted", "there are no more turns");
}

double hm_slices_run(struct hm_engine *engine, uint64_t units, unsigned slices) {
    double seconds = 0;
    for (unsigned i = 0; i < slices; i++) {
        uint64_t share = hm_slices_units(units, slices, i);
        wait_for_turn(i);
        seconds += hm_engine_run_on(engine, share, LEAD_NS);
    }
    wait_for_turn(slices);
    return seconds;
}
