/* Between the rounds. */
#include "harness/measure/looks.h"

#include "harness/results/stats_file.h"

#include <time.h>

double hm_looks_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Of the groups that do not rest, and anew for the round that begins. */
static double take_last_round(struct hm_session *s) {
    double seconds = 0;
    for (size_t g = 0; g < s->plan->group_count; g++) {
        seconds += s->plan->groups[g]->rests ? 0 : s->group_s[g];
        s->group_s[g] = 0;
    }
    return seconds;
}

static bool all_rest(const struct hm_plan *plan) {
    for (size_t g = 0; g < plan->group_count; g++)
        if (!plan->groups[g]->rests)
            return false;
    return true;
}

bool hm_looks_go_on(struct hm_session *session) {
    const struct hm_plan *plan = session->plan;
    if (!plan->looks.count)
        return true;
    if (plan->looks.held == plan->looks.count || all_rest(plan))
        return false;
    double now = hm_looks_now();
    double expected = take_last_round(session);
    session->clock_s = now;
    session->progress->at_most = true;
    session->progress->end_s = session->begun_s + plan->budget_s;
    session->plan->out_of_budget =
        expected > 0 && now + expected > session->begun_s + plan->budget_s;
    return !plan->out_of_budget;
}

void hm_looks_clock(struct hm_session *session, size_t group) {
    double now = hm_looks_now();
    session->group_s[group] += now - session->clock_s;
    session->clock_s = now;
}

/* ---- Looks ---- */

static bool is_open(const struct hm_cell *cell) {
    return cell->verdict && !cell->decided_after;
}

/* The A/A arm is waited for only where nothing else is compared: that it is equivalent says something of the
 * machine, and nothing of the arms. */
static bool is_decided(const struct hm_plan *plan, const struct hm_group *group) {
    bool again_is_open = false;
    bool has_arms = false;
    for (size_t i = group->first; i < group->first + group->count; i++) {
        const struct hm_cell *c = &plan->cells[i];
        if (c->arm->again) {
            again_is_open = again_is_open || is_open(c);
            continue;
        }
        if (is_open(c))
            return false;
        has_arms = has_arms || c->verdict;
    }
    return has_arms || !again_is_open;
}

static size_t steps_left(const struct hm_plan *plan, const struct hm_group *group,
                         unsigned rounds) {
    size_t steps = 0;
    for (size_t i = group->first; i < group->first + group->count; i++)
        for (int pass = HM_PASS_TIME; pass < HM_PASS_COUNT && !plan->cells[i].skip[0]; pass++) {
            unsigned all = hm_group_rounds(plan, group, (enum hm_pass)pass);
            steps += all > rounds ? all - rounds : 0;
        }
    return steps;
}

static int hold(struct hm_session *s, unsigned rounds, struct hm_error *error) {
    struct hm_plan *plan = s->plan;
    plan->looks.held++;
    int bad = hm_stats_look(s->folder, plan, error);
    for (size_t i = 0; !bad && i < plan->cell_count; i++)
        if (plan->cells[i].decided_after == rounds)
            hm_progress_decided(s->progress, &plan->cells[i]);
    for (size_t g = 0; !bad && g < plan->group_count; g++) {
        struct hm_group *group = plan->groups[g];
        if (group->rests || !is_decided(plan, group))
            continue;
        group->rests = true;
        hm_progress_drop(s->progress, steps_left(plan, group, rounds));
    }
    return bad;
}

int hm_looks_after(struct hm_session *session, unsigned rounds, struct hm_error *error) {
    struct hm_plan *plan = session->plan;
    const struct hm_looks *looks = &plan->looks;
    for (size_t g = 0; g < plan->group_count; g++)
        plan->groups[g]->rounds = plan->groups[g]->rests ? plan->groups[g]->rounds : rounds;
    bool due = looks->held < looks->count && looks->rounds[looks->held] == rounds;
    return due ? hold(session, rounds, error) : 0;
}

int hm_looks_end(struct hm_session *session, unsigned rounds, struct hm_error *error) {
    return session->plan->out_of_budget && hm_looks_move(&session->plan->looks, rounds)
               ? hold(session, rounds, error)
               : 0;
}
