/* Rows of a profile: merging, and what comes of whole blocks. */
#include "harness/trace/profile_rows.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const double error_max = 0.01;

enum {
    HALVINGS = 24, /* of what rows may be off, from the whole's 1 % */
    DOUBLINGS = 9, /* of the live blocks that they must have, from one half */
};

/* As the workload rounds. */
static double places_of(const struct hm_profile_row *row) {
    return row->live < 1.5 ? 1 : floor(row->live + 0.5);
}

struct hm_profile_held hm_profile_hold(const struct hm_profile_row *rows, size_t count) {
    struct hm_profile_held held = {0};
    double truth = 0;
    for (size_t i = 0; i < count; i++) {
        held.blocks += places_of(&rows[i]);
        held.bytes += places_of(&rows[i]) * (double)rows[i].size;
        truth += rows[i].live_bytes;
    }
    held.bytes_error = truth > 0 ? held.bytes / truth - 1 : INFINITY;
    return held;
}

static void add_row(struct hm_profile_row *sum, const struct hm_profile_row *row) {
    double size = (double)sum->size;
    if (sum->live + row->live > 0)
        size = (sum->live_bytes + row->live_bytes) / (sum->live + row->live);
    sum->size = size < 1.5 ? 1 : (uint64_t)(size + 0.5);
    sum->rate += row->rate;
    sum->live += row->live;
    sum->live_bytes += row->live_bytes;
}

static bool may_stand(const struct hm_profile_row *row, const struct hm_profile_rule *rule) {
    double off = places_of(row) * (double)row->size - row->live_bytes;
    return row->live >= rule->least_live && fabs(off) <= rule->most_off_bytes;
}

size_t hm_profile_merge(struct hm_profile_row *rows, size_t count,
                        const struct hm_profile_rule *rule) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept && !may_stand(&rows[kept - 1], rule))
            add_row(&rows[kept - 1], &rows[i]);
        else
            rows[kept++] = rows[i];
    if (kept > 1 && !may_stand(&rows[kept - 1], rule)) {
        add_row(&rows[kept - 2], &rows[kept - 1]);
        kept--;
    }
    return kept;
}

/* The error that is left by a rule; infinite where the workload would refuse the table. */
static double error_of(const struct hm_profile_row *rows, struct hm_profile_row *trial,
                       size_t count, const struct hm_profile_rule *rule) {
    memcpy(trial, rows, count * sizeof *trial);
    size_t kept = hm_profile_merge(trial, count, rule);
    struct hm_profile_held held = hm_profile_hold(trial, kept);
    bool fits = kept <= HM_PROFILE_ROWS_MAX && held.blocks <= HM_PROFILE_PLACES_MAX;
    return fits ? fabs(held.bytes_error) : INFINITY;
}

/* The mildest rule that does, or else the best one. */
static struct hm_profile_rule choose(const struct hm_profile_row *rows,
                                     struct hm_profile_row *trial, size_t count, double bytes) {
    struct hm_profile_rule best = {0.5 * (1 << DOUBLINGS), INFINITY};
    double least = INFINITY;
    for (int d = 0; d <= DOUBLINGS && least > error_max; d++)
        for (int h = 0; h <= HALVINGS && least > error_max; h++) {
            struct hm_profile_rule rule = {d ? ldexp(0.25, d) : 0,
                                           h ? ldexp(error_max * bytes, 1 - h) : INFINITY};
            double error = error_of(rows, trial, count, &rule);
            if (error >= least)
                continue;
            least = error;
            best = rule;
        }
    return best;
}

size_t hm_profile_fit(struct hm_profile_row *rows, size_t count, struct hm_profile_rule *rule) {
    struct hm_profile_row *trial = reallocarray(NULL, count, sizeof *trial);
    double bytes = 0;
    if (!trial)
        return 0;
    for (size_t i = 0; i < count; i++)
        bytes += rows[i].live_bytes;
    *rule = choose(rows, trial, count, bytes);
    free(trial);
    return hm_profile_merge(rows, count, rule);
}
