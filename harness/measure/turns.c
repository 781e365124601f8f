/* Turns. */
#include "harness/measure/turns.h"

#include "harness/cell/slices.h"
#include "harness/machine/state.h"
#include "harness/measure/shuffle.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROCESSES_MAX = 100, /* at once: each holds three descriptors of ours */
};

/* What the processes may hold together, of what is available. */
static const double memory_part = 0.5;

struct arm {
    struct hm_sampling sampling;
    struct hm_process process;
    bool lives;
};

struct group {
    struct arm *arms; /* in the order of their start */
    size_t *order;    /* of a turn */
    size_t count;
};

/* ---- Before the rounds ---- */

static size_t count_runnable(const struct hm_plan *plan, const struct hm_group *group) {
    size_t count = 0;
    for (size_t i = group->first; i < group->first + group->count; i++)
        count += plan->cells[i].ns_per_unit > 0;
    return count;
}

static double sum_of_peaks(const struct hm_plan *plan, const struct hm_group *group) {
    double bytes = 0;
    for (size_t i = group->first; i < group->first + group->count; i++)
        if (isfinite(plan->cells[i].peak_bytes))
            bytes += plan->cells[i].peak_bytes;
    return bytes;
}

static double unit_ns_of(const struct hm_plan *plan, const struct hm_group *group) {
    for (size_t i = group->first; i < group->first + group->count; i++)
        if (plan->cells[i].ns_per_unit > 0)
            return plan->cells[i].ns_per_unit;
    return NAN;
}

/* Where slices can not be led in, each begins with cold caches on the clock: that moves ratios, and where units
 * are as long as slices it gains nothing. */
static bool is_led(const struct hm_group *group, unsigned slices) {
    return hm_slices_may_be_led(&group->workload->spec, group->threads) &&
           hm_slices_leads(group->units, slices) > 0;
}

void hm_turns_plan(const struct hm_plan *plan, struct hm_group *group) {
    struct hm_machine_state state;
    double unit_ns = unit_ns_of(plan, group);
    if (!(plan->turn_ms > 0) || !group->units || !(unit_ns > 0))
        return;
    unsigned slices = hm_slices_count(group->units, unit_ns, plan->turn_ms * 1e6);
    if (!plan->all_turns && !is_led(group, slices))
        return;
    hm_machine_sample(&state);
    double wanted = sum_of_peaks(plan, group);
    if (count_runnable(plan, group) > PROCESSES_MAX)
        snprintf(group->no_turns, sizeof group->no_turns, "more than %d processes", PROCESSES_MAX);
    else if (wanted > memory_part * state.memory_available_bytes)
        snprintf(group->no_turns, sizeof group->no_turns,
                 "together they need %.0f MiB, and %.0f MiB are available", wanted / (1 << 20),
                 state.memory_available_bytes / (1 << 20));
    else
        group->slices = slices;
}

/* ---- A round ---- */

static void keep_while_waiting(struct arm *arm, bool waits) {
    arm->lives = waits;
    if (!waits)
        hm_process_end(&arm->process);
}

/* Never two that work at once: each is started when the one before is ready. */
static int start_all(struct group *g) {
    for (size_t i = 0; i < g->count; i++) {
        struct arm *arm = &g->arms[i];
        int bad = hm_process_start(&arm->process, &arm->sampling.spawn, &arm->sampling.outcome);
        if (bad)
            return bad;
        keep_while_waiting(arm, hm_process_listen(&arm->process));
    }
    return 0;
}

static void take_turn(struct group *g, unsigned char draw) {
    for (size_t i = 0; i < g->count; i++) {
        struct arm *arm = &g->arms[g->order[i]];
        if (arm->lives)
            keep_while_waiting(arm, hm_process_go_on(&arm->process, draw));
    }
}

/* Of two turns each, the draws come to the same. */
unsigned char hm_turns_draw(uint64_t seed, unsigned turn) {
    uint64_t drawn = hm_shuffle_salt(seed, 0, turn / 2);
    return (unsigned char)(turn % 2 ? ~drawn : drawn);
}

void hm_turns_order(uint64_t seed, unsigned turn, size_t *order, size_t count) {
    struct hm_shuffle shuffle = hm_shuffle_of(seed, turn);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    hm_shuffle(&shuffle, order, count);
}

/* The last turn is for what comes after the work; what waits even then did not keep to the rules. */
static void take_turns(struct group *g, unsigned slices, uint64_t seed) {
    for (unsigned turn = 0; turn <= slices; turn++) {
        hm_turns_order(seed, turn, g->order, g->count);
        take_turn(g, hm_turns_draw(seed, turn));
    }
}

static void end_all(struct group *g) {
    for (size_t i = 0; i < g->count; i++)
        if (g->arms[i].lives)
            keep_while_waiting(&g->arms[i], false);
}

/* @return of an interrupted one EINTR, but the others are kept */
static int keep_all(struct hm_session *s, struct group *g, struct hm_error *error) {
    int bad = 0;
    for (size_t i = 0; i < g->count; i++) {
        int this_bad = bad && bad != EINTR ? 0 : hm_sampling_keep(s, &g->arms[i].sampling, error);
        bad = this_bad ? this_bad : bad;
    }
    return bad;
}

static int run_group(struct hm_session *s, struct group *g, struct hm_error *error) {
    const struct hm_spawn *first = &g->arms[0].sampling.spawn;
    const size_t group_first = first->cell->group->first;
    int bad = start_all(g);
    if (!bad)
        take_turns(g, first->slices, hm_shuffle_salt(s->plan->seed, group_first, first->round));
    end_all(g);
    if (!bad)
        return keep_all(s, g, error);
    for (size_t i = 0; i < g->count; i++)
        hm_outcome_free(&g->arms[i].sampling.outcome);
    return hm_fail(error, bad, "can not start a process: %s", strerror(bad));
}

int hm_turns_measure(struct hm_session *session, const size_t *cells, size_t count,
                     struct hm_sample_place *place, struct hm_error *error) {
    struct group g = {calloc(count, sizeof *g.arms), calloc(count, sizeof *g.order), 0};
    int bad = g.arms && g.order ? 0 : hm_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; !bad && i < count; i++) {
        if (hm_session_wants(session, cells[i], place))
            hm_sampling_prepare(session, cells[i], place, &g.arms[g.count++].sampling);
        place->position++;
    }
    if (!bad && g.count)
        bad = run_group(session, &g, error);
    free(g.arms);
    free(g.order);
    return bad;
}
