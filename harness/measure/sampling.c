/* One process of one cell. */
#include "harness/measure/sampling.h"

#include "harness/exec/exec.h"
#include "harness/measure/profiles.h"
#include "harness/measure/shuffle.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

const double hm_sampling_warmup_s = 0.060;

void hm_sampling_stamp(struct hm_sample_place *place) {
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(place->started_utc, sizeof place->started_utc, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* Every arm of a group must have done the same operations. */
static void compare_checksum(struct hm_session *s, size_t cell, enum hm_pass pass,
                             struct hm_outcome *outcome) {
    size_t g = 0;
    while (s->plan->groups[g] != s->plan->cells[cell].group)
        g++;
    /* An open loop does as much as there is time for, and objects' work is done twice. */
    if (pass == HM_PASS_LATENCY &&
        (s->plan->rate || s->plan->groups[g]->workload->spec.part->kind == HM_WORKLOAD_OBJECT))
        g += s->plan->group_count;
    if (pass == HM_PASS_INSTRUCTIONS) /* as do counts, by a number of units of their own */
        g += 2 * s->plan->group_count;
    if (pass == HM_PASS_WARMUP) /* whose warm-up is work, too */
        g += 3 * s->plan->group_count;
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
    double left = hm_sampling_warmup_s * 1e9 - (isfinite(warm) ? warm : 0);
    return left > 0 ? (uint64_t)left : 0;
}

void hm_sampling_complete(const struct hm_session *session, size_t cell, char folder[PATH_MAX],
                          struct hm_spawn *spawn) {
    spawn->program = session->program;
    spawn->topology = session->topology;
    spawn->plan = session->plan;
    spawn->cell = &session->plan->cells[cell];
    spawn->interrupted = session->interrupted;
    spawn->place = hm_folder_file(session->folder, HM_EXEC_FOLDER, folder);
}

int hm_sampling_spawn(const struct hm_session *session, const struct hm_spawn *spawn,
                      struct hm_outcome *outcome, struct hm_error *error) {
    int bad =
        session->plan->programs ? hm_exec_cell(spawn, outcome) : hm_spawn_cell(spawn, outcome);
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

/* A program or library that was built anew under a run is another one: its numbers are not this run's. */
static void keep_images(const struct hm_session *s, size_t cell, struct hm_outcome *outcome) {
    struct hm_error error;
    if (!s->images ||
        hm_images_add(s->images, &s->plan->cells[cell], outcome->images, &error) != ESTALE ||
        outcome->status != HM_STATUS_OK)
        return;
    outcome->status = HM_STATUS_UNTRUSTED;
    snprintf(outcome->reason, sizeof outcome->reason, "%.255s", error.line);
}

void hm_sampling_inspect(struct hm_session *session, size_t cell, enum hm_pass pass,
                         struct hm_outcome *outcome) {
    keep_findings(&session->plan->cells[cell], outcome);
    keep_images(session, cell, outcome);
    compare_checksum(session, cell, pass, outcome);
}

int hm_sampling_fail(struct hm_session *session, const struct hm_sample_place *place,
                     const struct hm_outcome *outcome, struct hm_error *error) {
    session->failed[place->cell - session->plan->cells] = true;
    hm_progress_failed(session->progress, place->cell, outcome);
    return hm_samples_add(session->samples, place, outcome, error);
}

/* What the process of a pass is told to do, but for the files that it leaves. */
static struct hm_spawn spawn_of(const struct hm_session *s, size_t cell,
                                const struct hm_sample_place *place) {
    const struct hm_cell *c = &s->plan->cells[cell];
    struct hm_spawn spawn = {.pass = place->pass,
                             .units = c->group->units,
                             .warmup_units = c->group->warmup_units,
                             .salt = hm_shuffle_salt(s->plan->seed, cell, place->round),
                             .slices = place->pass == HM_PASS_TIME ? c->group->slices : 0,
                             .round = place->round};
    if (place->pass == HM_PASS_INSTRUCTIONS) {
        spawn.units = spawn.warmup_units = c->group->counted_units;
    } else if (place->pass == HM_PASS_WARMUP) {
        spawn.units += spawn.warmup_units;
        spawn.warmup_units = 0;
    } else if (place->pass != HM_PASS_SPACE) {
        spawn.spin_ns = spin_of(c);
    }
    return spawn;
}

void hm_sampling_prepare(const struct hm_session *session, size_t cell,
                         const struct hm_sample_place *place, struct hm_sampling *out) {
    char name[64];
    out->cell = cell;
    out->place = *place;
    out->place.cell = &session->plan->cells[cell];
    out->spawn = spawn_of(session, cell, place);
    out->gbench[0] = out->profile[0] = '\0';
    hm_sampling_complete(session, cell, out->folder, &out->spawn);
    snprintf(name, sizeof name, "gbench/c%zu-r%u.json", cell, place->round);
    if (place->pass == HM_PASS_TIME && !session->plan->programs)
        hm_folder_file(session->folder, name, out->gbench);
    if (place->pass == HM_PASS_INSTRUCTIONS)
        hm_profiles_name(session->folder, cell, place->round, out->profile);
    out->spawn.gbench = out->gbench;
    out->spawn.profile = out->profile;
    hm_sampling_stamp(&out->place);
}

int hm_sampling_keep(struct hm_session *session, struct hm_sampling *sampling,
                     struct hm_error *error) {
    struct hm_outcome *outcome = &sampling->outcome;
    const struct hm_sample_place *place = &sampling->place;
    int bad = 0;
    if (place->pass == HM_PASS_INSTRUCTIONS)
        hm_profiles_keep(sampling->profile);
    hm_sampling_inspect(session, sampling->cell, place->pass, outcome);
    if (outcome->status == HM_STATUS_INTERRUPTED)
        bad = EINTR;
    else
        bad = hm_samples_add(session->samples, place, outcome, error);
    if (outcome->status != HM_STATUS_OK && !bad) {
        session->failed[sampling->cell] = true;
        hm_progress_failed(session->progress, place->cell, outcome);
    }
    if (outcome->status == HM_STATUS_OK && place->pass == HM_PASS_TIME &&
        place->round + 1 == session->plan->rounds)
        hm_progress_cell(session->progress, place->cell, session->plan->rounds,
                         hm_outcome_value(outcome, hm_pass_lead(session->plan, HM_PASS_TIME), -1));
    hm_progress_step(session->progress, outcome->seconds);
    hm_outcome_free(outcome);
    return bad;
}

int hm_sampling_run(struct hm_session *session, size_t cell, const struct hm_sample_place *place,
                    struct hm_error *error) {
    struct hm_sampling sampling;
    hm_sampling_prepare(session, cell, place, &sampling);
    int bad = hm_sampling_spawn(session, &sampling.spawn, &sampling.outcome, error);
    return bad ? bad : hm_sampling_keep(session, &sampling, error);
}
