/* One run in progress. */
#include "harness/measure/session.h"

#include "harness/measure/looks.h"
#include "harness/measure/sampling.h"
#include "harness/measure/shuffle.h"
#include "harness/measure/turns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int hm_session_init(struct hm_session *session) {
    const struct hm_plan *plan = session->plan;
    session->done =
        calloc(HM_PASS_COUNT * plan->cell_count * plan->rounds + 1, sizeof *session->done);
    session->failed = calloc(plan->cell_count + 1, sizeof *session->failed);
    session->checksums = calloc(4 * plan->group_count + 1, sizeof *session->checksums);
    session->group_s = calloc(plan->group_count + 1, sizeof *session->group_s);
    session->begun_s = hm_looks_now();
    return session->done && session->failed && session->checksums && session->group_s ? 0 : ENOMEM;
}

void hm_session_free(struct hm_session *session) {
    free(session->done);
    free(session->failed);
    free(session->checksums);
    free(session->group_s);
}

size_t hm_session_failures(const struct hm_session *session) {
    size_t failures = 0;
    for (size_t i = 0; i < session->plan->cell_count; i++)
        failures += session->failed[i];
    return failures;
}

bool *hm_session_done(const struct hm_session *session, enum hm_pass pass, size_t cell,
                      unsigned round) {
    return &session
                ->done[((size_t)pass * session->plan->cell_count + cell) * session->plan->rounds +
                       round];
}

static void recall_row(void *arg, size_t cell, const char *metric, unsigned round, double value,
                       const char *status, const char *reason) {
    struct hm_session *s = arg;
    (void)value;
    (void)reason;
    for (int pass = HM_PASS_TIME; pass < HM_PASS_COUNT && round < s->plan->rounds; pass++)
        if (strcmp(metric, hm_pass_lead(s->plan, (enum hm_pass)pass)) == 0)
            *hm_session_done(s, (enum hm_pass)pass, cell, round) = true;
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

bool hm_session_wants(const struct hm_session *session, size_t cell,
                      const struct hm_sample_place *place) {
    const struct hm_cell *c = &session->plan->cells[cell];
    bool has_work = place->pass == HM_PASS_INSTRUCTIONS ? c->group->counted_units : c->group->units;
    return has_work && !c->skip[0] && !session->failed[cell] &&
           !*hm_session_done(session, place->pass, cell, place->round);
}

static int measure_in_a_row(struct hm_session *s, const size_t *order, size_t count,
                            struct hm_sample_place *place, struct hm_error *error) {
    int bad = 0;
    for (size_t i = 0; !bad && i < count; i++) {
        if (hm_session_wants(s, order[i], place))
            bad = hm_sampling_run(s, order[i], place, error);
        place->position++;
    }
    return bad;
}

/* All cells of a group once, in an order drawn for this round. */
static int measure_group(struct hm_session *s, size_t *order, const struct hm_group *group,
                         struct hm_sample_place *place, struct hm_shuffle *shuffle,
                         struct hm_error *error) {
    for (size_t i = 0; i < group->count; i++)
        order[i] = group->first + i;
    hm_shuffle(shuffle, order, group->count);
    if (place->pass == HM_PASS_TIME && group->slices)
        return hm_turns_measure(s, order, group->count, place, error);
    return measure_in_a_row(s, order, group->count, place, error);
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
        for (size_t i = 0; !bad && i < s->plan->group_count; i++) {
            const struct hm_group *group = s->plan->groups[groups[i]];
            if (!group->rests && round < hm_group_rounds(s->plan, group, place.pass))
                bad = measure_group(s, order, group, &place, &shuffle, error);
            hm_looks_clock(s, groups[i]);
        }
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
    unsigned round = 0;
    for (; !bad && round < plan->rounds && hm_looks_go_on(session); round++) {
        bad = measure_round(session, order, groups, round, error);
        if (!bad)
            bad = hm_looks_after(session, round + 1, error);
    }
    if (!bad)
        bad = hm_looks_end(session, round, error);
    free(order);
    free(groups);
    return bad;
}
