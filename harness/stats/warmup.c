/* Warm-up of a process. */
#include "harness/stats/warmup.h"

#include "harness/stats/order.h"

#include <math.h>
#include <string.h>

enum {
    NEIGHBOURHOOD = 200, /* iterations */
    STEADY_PART = 4,     /* at least one in so many iterations */
};

static const double outlier_distances = 3;
static const double penalty_of_log = 15;
static const double resolution = 1e-3; /* of the median */
static const double margin = 0.02;     /* as verdicts have it */

/* ---- Outliers ---- */

/* The neighbourhood reaches as far to either side, but near the ends of the series, where it is moved inside. */
bool hm_is_outlier(const double *times, size_t n, size_t i, double *sorted) {
    size_t size = n < NEIGHBOURHOOD ? n : NEIGHBOURHOOD;
    size_t first = i < size / 2 ? 0 : i - size / 2;
    if (first > n - size)
        first = n - size;
    memcpy(sorted, times + first, size * sizeof *sorted);
    hm_sort(sorted, size);
    double distance = hm_quantile(sorted, size, 0.9) - hm_quantile(sorted, size, 0.1);
    return fabs(times[i] - hm_quantile(sorted, size, 0.5)) > outlier_distances * distance;
}

/* ---- Change points ---- */

/* What is kept of a series, with sums of it up to each iteration. */
struct series {
    const struct hm_warmup_room *room;
    size_t n;
    double unit; /* the median; what is added up are differences from it, in it */
};

struct moments {
    double mean, variance;
};

static struct moments moments_of(const struct series *s, size_t from, size_t to) {
    const struct hm_warmup_step *steps = s->room->steps;
    double n = (double)(to - from);
    double mean = (steps[to].sum - steps[from].sum) / n;
    double square = (steps[to].squares - steps[from].squares) / n;
    return (struct moments){mean, fmax(0, square - mean * mean)};
}

static void keep(struct series *s, const double *times, size_t n) {
    struct hm_warmup_step *steps = s->room->steps;
    memcpy(s->room->sorted, times, n * sizeof *times);
    hm_sort(s->room->sorted, n);
    s->unit = hm_quantile(s->room->sorted, n, 0.5);
    steps[0].sum = steps[0].squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (hm_is_outlier(times, n, i, s->room->sorted))
            continue;
        double x = (times[i] - s->unit) / s->unit;
        steps[s->n].kept = i;
        steps[s->n + 1].sum = steps[s->n].sum + x;
        steps[s->n + 1].squares = steps[s->n].squares + x * x;
        s->n++;
    }
}

/* Twice the negative log likelihood of the iterations [from, to), without its constant. */
static double cost(const struct series *s, size_t from, size_t to) {
    double found = moments_of(s, from, to).variance;
    double variance = fmax(found, resolution * resolution);
    return (double)(to - from) * (log(variance) + found / variance);
}

/* For each number of first iterations: the least cost, and where the last segment of that begins. */
static void cut(const struct series *s) {
    struct hm_warmup_step *steps = s->room->steps;
    double penalty = penalty_of_log * log((double)s->n);
    steps[0].least = -penalty;
    for (size_t to = 1; to <= s->n; to++) {
        steps[to].least = INFINITY;
        for (size_t from = 0; from + HM_SEGMENT_LEAST <= to; from++) {
            double all = steps[from].least + penalty + cost(s, from, to);
            if (all < steps[to].least) {
                steps[to].least = all;
                steps[to].from = from;
            }
        }
    }
}

/* The segments of the cheapest way. @return how many */
static size_t read_segments(const struct series *s) {
    const struct hm_warmup_step *steps = s->room->steps;
    size_t count = 0;
    for (size_t to = s->n; to; to = steps[to].from)
        count++;
    size_t at = count;
    for (size_t to = s->n; to; to = steps[to].from) {
        size_t from = steps[to].from;
        struct moments m = moments_of(s, from, to);
        s->room->segments[--at] = (struct hm_segment){.first = from ? steps[from].kept : 0,
                                                      .mean = s->unit * (1 + m.mean),
                                                      .deviation = s->unit * sqrt(m.variance)};
    }
    return count;
}

/* ---- The label ---- */

static bool is_equivalent(const struct hm_segment *segment, const struct hm_segment *last) {
    return fabs(segment->mean - last->mean) <= fmax(last->deviation, margin * last->mean);
}

static enum hm_warmup_label label_of(const struct hm_warmup *w, const struct hm_segment *segments,
                                     size_t n) {
    const struct hm_segment *last = &segments[w->segments - 1];
    enum hm_warmup_label label = HM_WARMUP_FLAT;
    if (n - w->steady_from < n / STEADY_PART)
        return HM_WARMUP_UNSTEADY;
    for (const struct hm_segment *s = segments; s < last; s++) {
        if (is_equivalent(s, last))
            continue;
        if (s->mean < last->mean)
            return HM_WARMUP_SLOW_DOWN;
        label = HM_WARMUP_WARM_UP;
    }
    return label;
}

static size_t steady_from(const struct hm_warmup *w, const struct hm_segment *segments) {
    size_t first = w->segments - 1;
    while (first && is_equivalent(&segments[first - 1], &segments[w->segments - 1]))
        first--;
    return segments[first].first;
}

static double steady_mean(const struct series *s, size_t from) {
    size_t first = 0;
    while (s->room->steps[first].kept < from)
        first++;
    return s->unit * (1 + moments_of(s, first, s->n).mean);
}

struct hm_warmup hm_warmup_of(const double *times, size_t n, const struct hm_warmup_room *room) {
    struct hm_warmup w = {.label = HM_WARMUP_UNKNOWN, .steady_mean = NAN};
    struct series s = {.room = room};
    if (n < HM_ITERATIONS_LEAST)
        return w;
    keep(&s, times, n);
    w.outliers = n - s.n;
    cut(&s);
    w.segments = read_segments(&s);
    w.steady_from = steady_from(&w, room->segments);
    w.label = label_of(&w, room->segments, n);
    if (w.label != HM_WARMUP_UNSTEADY)
        w.steady_mean = steady_mean(&s, w.steady_from);
    return w;
}

const char *hm_warmup_name(enum hm_warmup_label label) {
    static const char *const names[] = {"flat", "warm-up", "slow-down", "no steady state",
                                        "not known"};
    return names[label];
}
