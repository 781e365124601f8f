/* Minimum mutator utilisation.
 *
 * A worst window begins with a pause, or lies at the span's end: one that begins between two pauses
 * loses nothing by beginning with the later one, and one that begins inside of a pause loses nothing
 * by beginning with it. Only these are looked at, in one sweep with two pointers. */
#include "harness/stats/utilisation.h"

#include <math.h>

/* What a window that begins at `from` has of pause `i`. */
static double overlap(const struct hm_pause_span *s, size_t i, double from, double to) {
    double begin = fmax(s->begins[i], from);
    double end = fmin(s->ends[i], to);
    return end > begin ? end - begin : 0;
}

/* The pauses first..end-1 touch the window; all but the outer two lie inside. */
struct touched {
    size_t first, end;
    double whole; /* their lengths added up */
};

static double paused(const struct hm_pause_span *s, struct touched *t, double from, double to) {
    while (t->end < s->count && s->begins[t->end] < to) {
        t->whole += s->ends[t->end] - s->begins[t->end];
        t->end++;
    }
    while (t->first < t->end && s->ends[t->first] <= from) {
        t->whole -= s->ends[t->first] - s->begins[t->first];
        t->first++;
    }
    if (t->first == t->end)
        return 0;
    size_t last = t->end - 1;
    double sum = t->whole;
    sum -= s->ends[t->first] - s->begins[t->first] - overlap(s, t->first, from, to);
    if (last != t->first)
        sum -= s->ends[last] - s->begins[last] - overlap(s, last, from, to);
    return sum;
}

double hm_mmu(const struct hm_pause_span *s, double window) {
    if (!(window > 0) || window > s->to - s->from)
        return NAN;
    double worst = 0;
    struct touched touched = {0};
    for (size_t i = 0; i < s->count; i++) {
        double from = fmin(s->begins[i], s->to - window);
        worst = fmax(worst, paused(s, &touched, from, from + window));
    }
    return fmax(0, 1 - worst / window);
}
