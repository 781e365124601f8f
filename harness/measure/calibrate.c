/* How much work the processes of a run do. */
#include "harness/measure/sampling.h"

#include "harness/measure/profiles.h"
#include "harness/measure/shuffle.h"
#include "harness/measure/turns.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The slowest arm of a group may take this long for the work that is the same for all. */
static const double slowest_s = 1.5;
/* The calibration doubles the work up to this part of the target. */
static const double calibration_part = 0.5;

static int write_skip(struct hm_session *s, size_t cell, struct hm_error *error) {
    struct hm_outcome outcome = {.status = HM_STATUS_SKIP};
    struct hm_sample_place place = {.cell = &s->plan->cells[cell], .pass = HM_PASS_TIME};
    hm_sampling_stamp(&place);
    if (*hm_session_done(s, HM_PASS_TIME, cell, 0))
        return 0;
    snprintf(outcome.reason, sizeof outcome.reason, "%s", s->plan->cells[cell].skip);
    hm_progress_failed(s->progress, place.cell, &outcome);
    return hm_samples_add(s->samples, &place, &outcome, error);
}

/* How long one unit takes in this cell. A failure is a row: its cell is then not measured. */
static int calibrate_cell(struct hm_session *s, size_t cell, struct hm_error *error) {
    char folder[PATH_MAX];
    struct hm_outcome outcome;
    struct hm_cell *c = &s->plan->cells[cell];
    struct hm_sample_place place = {.cell = c, .pass = HM_PASS_TIME};
    hm_sampling_stamp(&place);
    struct hm_spawn how = {.pass = HM_PASS_CALIBRATE,
                           .units = (uint64_t)(s->plan->target_s * calibration_part * 1e9),
                           .spin_ns = (uint64_t)(hm_sampling_warmup_s * 1e9 / 4),
                           .salt = hm_shuffle_salt(s->plan->seed, cell, UINT32_MAX),
                           .gbench = ""};
    hm_sampling_complete(s, cell, folder, &how);
    int bad = hm_sampling_spawn(s, &how, &outcome, error);
    if (bad)
        return bad;
    if (s->plan->programs) /* the warm-up is a run as any other */
        hm_sampling_inspect(s, cell, HM_PASS_CALIBRATE, &outcome);
    c->peak_bytes = hm_outcome_value(&outcome, "peak_rss_bytes", -1);
    c->ns_per_unit = hm_outcome_value(&outcome, s->plan->programs ? "wall_ns" : "unit_ns", -1);
    if (outcome.status == HM_STATUS_INTERRUPTED) {
        bad = EINTR;
    } else if (outcome.status != HM_STATUS_OK) {
        c->ns_per_unit = NAN;
        bad = hm_sampling_fail(s, &place, &outcome, error);
    }
    hm_progress_step(s->progress, outcome.seconds);
    hm_outcome_free(&outcome);
    return bad;
}

static uint64_t units_for(double seconds, double base_ns, double slowest_ns) {
    double units = ceil(seconds * 1e9 / base_ns);
    double most = floor(slowest_s * 1e9 / slowest_ns);
    if (units > most)
        units = most;
    return units < 1 ? 1 : (uint64_t)units;
}

/* The same count for every arm: what takes the baseline the target time, unless the slowest arm
 * would take too long for it. */
static void choose_units(const struct hm_session *s, struct hm_group *group) {
    double base = NAN;
    double slowest = 0;
    for (size_t i = group->first; i < group->first + group->count; i++) {
        double ns = s->plan->cells[i].ns_per_unit;
        if (!(ns > 0))
            continue;
        base = isfinite(base) ? base : ns;
        slowest = ns > slowest ? ns : slowest;
    }
    if (!isfinite(base))
        return;
    if (group->program) { /* one run is all there is, and the calibration was the warm-up */
        group->units = 1;
        return;
    }
    group->units = units_for(s->plan->target_s, base, slowest);
    group->warmup_units = units_for(hm_sampling_warmup_s, base, slowest);
}

/* How many units are enough to be counted: the first cell that can run says so, for all. It says the same on
 * every machine, and when a run goes on. */
static int choose_counted_units(struct hm_session *s, struct hm_group *group,
                                struct hm_error *error) {
    char profile[PATH_MAX], folder[PATH_MAX];
    size_t cell = group->first;
    while (cell < group->first + group->count && (s->plan->cells[cell].skip[0] || s->failed[cell]))
        cell++;
    if (cell == group->first + group->count)
        return 0;
    int bad = hm_profiles_open(s->folder, error);
    if (bad)
        return bad;
    struct hm_outcome outcome;
    struct hm_sample_place place = {.cell = &s->plan->cells[cell], .pass = HM_PASS_INSTRUCTIONS};
    struct hm_spawn how = {.pass = HM_PASS_INSTRUCTIONS, .gbench = "", .profile = profile};
    hm_sampling_stamp(&place);
    hm_profiles_name(s->folder, cell, s->plan->rounds, profile); /* of no round */
    hm_sampling_complete(s, cell, folder, &how);
    bad = hm_sampling_spawn(s, &how, &outcome, error);
    if (bad)
        return bad;
    hm_profiles_drop(profile);
    double units = hm_outcome_value(&outcome, "units", -1);
    if (outcome.status == HM_STATUS_INTERRUPTED)
        bad = EINTR;
    else if (outcome.status != HM_STATUS_OK)
        bad = hm_sampling_fail(s, &place, &outcome, error);
    else
        group->counted_units = units >= 1 ? (uint64_t)units : 1;
    hm_progress_step(s->progress, outcome.seconds);
    hm_outcome_free(&outcome);
    return bad;
}

int hm_session_calibrate(struct hm_session *session, struct hm_error *error) {
    struct hm_plan *plan = session->plan;
    int bad = 0;
    for (size_t i = 0; !bad && i < plan->cell_count; i++) {
        if (plan->cells[i].skip[0])
            bad = write_skip(session, i, error);
        else if (hm_plan_is_timed(plan) && !plan->cells[i].group->units && !session->failed[i])
            bad = calibrate_cell(session, i, error);
    }
    for (size_t g = 0; !bad && g < plan->group_count; g++)
        if (!plan->groups[g]->units) {
            choose_units(session, plan->groups[g]);
            hm_turns_plan(plan, plan->groups[g]);
        }
    for (size_t g = 0; !bad && g < plan->group_count; g++)
        if (hm_group_rounds(plan, plan->groups[g], HM_PASS_INSTRUCTIONS))
            bad = choose_counted_units(session, plan->groups[g], error);
    return bad;
}
