/* One run in progress. */
#include "harness/measure/session.h"

#include "harness/exec/exec.h"
#include "harness/measure/profiles.h"
#include "harness/measure/shuffle.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A fresh process can run at half its speed for some time: this long it works untimed. */
static const double warmup_s = 0.060;
/* The slowest arm of a group may take this long for the work that is the same for all. */
static const double slowest_s = 1.5;
/* The calibration doubles the work up to this part of the target. */
static const double calibration_part = 0.5;

int hm_session_init(struct hm_session *session) {
    const struct hm_plan *plan = session->plan;
    session->done =
        calloc(HM_PASS_COUNT * plan->cell_count * plan->rounds + 1, sizeof *session->done);
    session->failed = calloc(plan->cell_count + 1, sizeof *session->failed);
    session->checksums = calloc(3 * plan->group_count + 1, sizeof *session->checksums);
    return session->done && session->failed && session->checksums ? 0 : ENOMEM;
}

void hm_session_free(struct hm_session *session) {
    free(session->done);
    free(session->failed);
    free(session->checksums);
}

size_t hm_session_failures(const struct hm_session *session) {
    size_t failures = 0;
    for (size_t i = 0; i < session->plan->cell_count; i++)
        failures += session->failed[i];
    return failures;
}

static bool *done_flag(const struct hm_session *s, enum hm_pass pass, size_t cell, unsigned round) {
    return &s->done[((size_t)pass * s->plan->cell_count + cell) * s->plan->rounds + round];
}

static void recall_row(void *arg, size_t cell, const char *metric, unsigned round, double value,
                       const char *status, const char *reason) {
    struct hm_session *s = arg;
    (void)value;
    (void)reason;
    for (int pass = HM_PASS_TIME; pass < HM_PASS_COUNT && round < s->plan->rounds; pass++)
        if (strcmp(metric, hm_pass_lead(s->plan, (enum hm_pass)pass)) == 0)
            *done_flag(s, (enum hm_pass)pass, cell, round) = true;
    if (strcmp(status, "ok") != 0 && strcmp(status, "skip") != 0)
        s->failed[cell] = true;
}

/* What programs wrote in an earlier part of the run. */
static void recall_outputs(struct hm_session *s) {
    const struct hm_plan *plan = s->plan;
    for (size_t g = 0; plan->programs && plan->programs->same_output && g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g]->count && !s->checksums[g]; i++)
            s->checksums[g] = plan->cells[plan->groups[g]->first + i].output_hash;
}

int hm_session_recall(struct hm_session *session, struct hm_error *error) {
    recall_outputs(session);
    return hm_samples_read(session->folder, session->plan, recall_row, session, error);
}

static void utc_now(char out[32]) {
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* Every arm of a group must have done the same operations. */
static void compare_checksum(struct hm_session *s, size_t cell, enum hm_pass pass,
                             struct hm_outcome *outcome) {
    size_t g = 0;
    while (s->plan->groups[g] != s->plan->cells[cell].group)
        g++;
    if (pass == HM_PASS_LATENCY &&
        s->plan->rate) /* an open loop does as much as there is time for */
        g += s->plan->group_count;
    if (pass == HM_PASS_INSTRUCTIONS) /* as do counts, by a number of units of their own */
        g += 2 * s->plan->group_count;
    if (outcome->status != HM_STATUS_OK)
        return;
    if (!s->checksums[g])
        s->checksums[g] = outcome->checksum;
    if (s->checksums[g] == outcome->checksum)
        return;
    outcome->status = HM_STATUS_INVALID;
    snprintf(outcome->reason, sizeof outcome->reason,
             "%s: checksum %016" PRIx64 ", others %016" PRIx64,
             s->plan->programs ? "its output differs" : "its operations differ", outcome->checksum,
             s->checksums[g]);
}

static uint64_t spin_of(const struct hm_cell *cell) {
    double warm = (double)cell->group->warmup_units * cell->ns_per_unit;
    double left = warmup_s * 1e9 - (isfinite(warm) ? warm : 0);
    return left > 0 ? (uint64_t)left : 0;
}

static int spawn(const struct hm_session *s, size_t cell, struct hm_spawn *how,
                 struct hm_outcome *outcome, struct hm_error *error) {
    how->program = s->program;
    how->topology = s->topology;
    how->plan = s->plan;
    how->cell = &s->plan->cells[cell];
    how->interrupted = s->interrupted;
    char place[PATH_MAX];
    hm_folder_file(s->folder, HM_EXEC_FOLDER, place);
    how->place = place;
    int bad = s->plan->programs ? hm_exec_cell(how, outcome) : hm_spawn_cell(how, outcome);
    how->place = NULL;
    return bad ? hm_fail(error, bad, "can not start a process: %s", strerror(bad)) : 0;
}

/* What the process found out about itself stands in run.json. */
static void keep_findings(struct hm_cell *cell, struct hm_outcome *outcome) {
    if (outcome->proof[0])
        snprintf(cell->proof, sizeof cell->proof, "%s", outcome->proof);
    if (outcome->pins[0])
        snprintf(cell->pinned, sizeof cell->pinned, "%s", outcome->pins);
    if (outcome->output_hash && cell->output_hash && outcome->output_hash != cell->output_hash)
        cell->output_varies = true;
    if (!cell->output_hash)
        cell->output_hash = outcome->output_hash;
    if (outcome->status == HM_STATUS_OK && strstr(outcome->pins, "failed:"))
        snprintf(outcome->reason, sizeof outcome->reason, "not pinned as asked");
}

/* What the process of a pass is told to do, but for the files that it leaves. */
static struct hm_spawn spawn_of(const struct hm_session *s, size_t cell,
                                const struct hm_sample_place *place) {
    const struct hm_cell *c = &s->plan->cells[cell];
    bool counted = place->pass == HM_PASS_INSTRUCTIONS;
    bool spins = !counted && place->pass != HM_PASS_SPACE;
    return (struct hm_spawn){.pass = place->pass,
                             .units = counted ? c->group->counted_units : c->group->units,
                             .warmup_units =
                                 counted ? c->group->counted_units : c->group->warmup_units,
                             .spin_ns = spins ? spin_of(c) : 0,
                             .salt = hm_shuffle_salt(s->plan->seed, cell, place->round),
                             .round = place->round};
}

/* One process of one cell in one round, and its rows. */
static int measure_cell(struct hm_session *s, size_t cell, struct hm_sample_place *place,
                        struct hm_error *error) {
    char name[64];
    char gbench[PATH_MAX] = "";
    char profile[PATH_MAX] = "";
    struct hm_outcome outcome;
    struct hm_cell *c = &s->plan->cells[cell];
    struct hm_spawn how = spawn_of(s, cell, place);
    snprintf(name, sizeof name, "gbench/c%zu-r%u.json", cell, place->round);
    if (place->pass == HM_PASS_TIME && !s->plan->programs)
        hm_folder_file(s->folder, name, gbench);
    if (place->pass == HM_PASS_INSTRUCTIONS)
        hm_profiles_name(s->folder, cell, place->round, profile);
    how.gbench = gbench;
    how.profile = profile;
    utc_now(place->started_utc);
    place->cell = c;
    int bad = spawn(s, cell, &how, &outcome, error);
    if (bad)
        return bad;
    if (place->pass == HM_PASS_INSTRUCTIONS)
        hm_profiles_keep(profile);
    keep_findings(c, &outcome);
    compare_checksum(s, cell, place->pass, &outcome);
    if (outcome.status == HM_STATUS_INTERRUPTED)
        bad = EINTR;
    else
        bad = hm_samples_add(s->samples, place, &outcome, error);
    if (outcome.status != HM_STATUS_OK && !bad) {
        s->failed[cell] = true;
        hm_progress_failed(s->progress, c, &outcome);
    }
    if (outcome.status == HM_STATUS_OK && place->pass == HM_PASS_TIME &&
        place->round + 1 == s->plan->rounds)
        hm_progress_cell(s->progress, c, s->plan->rounds,
                         hm_outcome_value(&outcome, hm_pass_lead(s->plan, HM_PASS_TIME), -1));
    hm_progress_step(s->progress, outcome.seconds);
    hm_outcome_free(&outcome);
    return bad;
}

static int write_skip(struct hm_session *s, size_t cell, struct hm_error *error) {
    struct hm_outcome outcome = {.status = HM_STATUS_SKIP};
    struct hm_sample_place place = {.cell = &s->plan->cells[cell], .pass = HM_PASS_TIME};
    utc_now(place.started_utc);
    if (*done_flag(s, HM_PASS_TIME, cell, 0))
        return 0;
    snprintf(outcome.reason, sizeof outcome.reason, "%s", s->plan->cells[cell].skip);
    hm_progress_failed(s->progress, place.cell, &outcome);
    return hm_samples_add(s->samples, &place, &outcome, error);
}

static int add_failure(struct hm_session *s, const struct hm_sample_place *place,
                       const struct hm_outcome *outcome, struct hm_error *error) {
    s->failed[place->cell - s->plan->cells] = true;
    hm_progress_failed(s->progress, place->cell, outcome);
    return hm_samples_add(s->samples, place, outcome, error);
}

/* How long one unit takes in this cell. A failure is a row: its cell is then not measured. */
static int calibrate_cell(struct hm_session *s, size_t cell, struct hm_error *error) {
    struct hm_outcome outcome;
    struct hm_cell *c = &s->plan->cells[cell];
    struct hm_sample_place place = {.cell = c, .pass = HM_PASS_TIME};
    utc_now(place.started_utc);
    struct hm_spawn how = {.pass = HM_PASS_CALIBRATE,
                           .units = (uint64_t)(s->plan->target_s * calibration_part * 1e9),
                           .spin_ns = (uint64_t)(warmup_s * 1e9 / 4),
                           .salt = hm_shuffle_salt(s->plan->seed, cell, UINT32_MAX),
                           .gbench = ""};
    int bad = spawn(s, cell, &how, &outcome, error);
    if (bad)
        return bad;
    if (s->plan->programs) { /* the warm-up is a run as any other */
        keep_findings(c, &outcome);
        compare_checksum(s, cell, HM_PASS_CALIBRATE, &outcome);
    }
    c->ns_per_unit = hm_outcome_value(&outcome, s->plan->programs ? "wall_ns" : "unit_ns", -1);
    if (outcome.status == HM_STATUS_INTERRUPTED) {
        bad = EINTR;
    } else if (outcome.status != HM_STATUS_OK) {
        c->ns_per_unit = NAN;
        bad = add_failure(s, &place, &outcome, error);
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
    group->warmup_units = units_for(warmup_s, base, slowest);
}

/* How many units are enough to be counted: the first cell that can run says so, for all. It says the same on
 * every machine, and when a run goes on. */
static int choose_counted_units(struct hm_session *s, struct hm_group *group,
                                struct hm_error *error) {
    char profile[PATH_MAX];
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
    utc_now(place.started_utc);
    hm_profiles_name(s->folder, cell, s->plan->rounds, profile); /* of no round */
    bad = spawn(s, cell, &how, &outcome, error);
    if (bad)
        return bad;
    hm_profiles_drop(profile);
    double units = hm_outcome_value(&outcome, "units", -1);
    if (outcome.status == HM_STATUS_INTERRUPTED)
        bad = EINTR;
    else if (outcome.status != HM_STATUS_OK)
        bad = add_failure(s, &place, &outcome, error);
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
        if (!plan->groups[g]->units)
            choose_units(session, plan->groups[g]);
    for (size_t g = 0; !bad && g < plan->group_count; g++)
        if (hm_group_rounds(plan, plan->groups[g], HM_PASS_INSTRUCTIONS))
            bad = choose_counted_units(session, plan->groups[g], error);
    return bad;
}

/* All cells of a group once, in an order drawn for this round. */
static int measure_group(struct hm_session *s, size_t *order, const struct hm_group *group,
                         struct hm_sample_place *place, struct hm_shuffle *shuffle,
                         struct hm_error *error) {
    int bad = 0;
    for (size_t i = 0; i < group->count; i++)
        order[i] = group->first + i;
    hm_shuffle(shuffle, order, group->count);
    for (size_t i = 0; !bad && i < group->count; i++) {
        size_t cell = order[i];
        bool run = !s->plan->cells[cell].skip[0] && !s->failed[cell] &&
                   (place->pass == HM_PASS_INSTRUCTIONS ? group->counted_units : group->units) &&
                   !*done_flag(s, place->pass, cell, place->round);
        if (run)
            bad = measure_cell(s, cell, place, error);
        place->position++;
    }
    return bad;
}

static int measure_round(struct hm_session *s, size_t *order, size_t *groups, unsigned round,
                         struct hm_error *error) {
    struct hm_shuffle shuffle = hm_shuffle_of(s->plan->seed, round);
    int bad = 0;
    unsigned position = 0;
    for (size_t i = 0; i < s->plan->group_count; i++)
        groups[i] = i;
    hm_shuffle(&shuffle, groups, s->plan->group_count);
    for (int pass = HM_PASS_TIME; pass < HM_PASS_COUNT; pass++) {
        struct hm_sample_place place = {
            .pass = (enum hm_pass)pass, .round = round, .position = position};
        for (size_t i = 0; !bad && i < s->plan->group_count; i++)
            if (round < hm_group_rounds(s->plan, s->plan->groups[groups[i]], place.pass))
                bad = measure_group(s, order, s->plan->groups[groups[i]], &place, &shuffle, error);
        position = place.position;
    }
    hm_progress_round(s->progress, round + 1, s->plan->rounds);
    return bad;
}

int hm_session_measure(struct hm_session *session, struct hm_error *error) {
    const struct hm_plan *plan = session->plan;
    size_t *order = calloc(plan->cell_count + 1, sizeof *order);
    size_t *groups = calloc(plan->group_count + 1, sizeof *groups);
    int bad = order && groups ? 0 : hm_fail(error, ENOMEM, "out of memory");
    for (unsigned round = 0; !bad && round < plan->rounds; round++)
        bad = measure_round(session, order, groups, round, error);
    free(order);
    free(groups);
    return bad;
}
