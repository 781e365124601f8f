/* Minimum and bounded mutator utilisation.
 *
 * A worst window begins with a pause, or lies at the span's end: one that begins between two pauses
 * loses nothing by beginning with the later one, and one that begins inside of a pause loses nothing
 * by beginning with it. Only these are looked at, in one sweep with two pointers.
 *
 * Of windows that may be longer than w, a worst one has length w, or it begins with a pause and ends with a
 * pause: else it would be made worse by making it shorter, or by taking in the rest of a pause. Let a pause
 * be the point (time, time that was paused before it). The paused part of a window is then the slope of a line
 * from the point of a pause's begin to that of a pause's end, at least w to the right. The steepest line to a
 * given end is a tangent of the lower convex hull of all begins that are far enough to the left. */
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

/* ---- Bounded ---- */

/* A lower convex hull, from left to right. */
struct hull {
    struct hm_pause_corner *corners;
    size_t count;
};

static double slope(struct hm_pause_corner a, struct hm_pause_corner b) {
    return (b.paused - a.paused) / (b.at - a.at);
}

/* @param fresh to the right of all others */
static void push(struct hull *h, struct hm_pause_corner fresh) {
    while (h->count > 1 && slope(h->corners[h->count - 2], h->corners[h->count - 1]) >=
                               slope(h->corners[h->count - 1], fresh))
        h->count--;
    h->corners[h->count++] = fresh;
}

/* The steepest line from a corner to `end`: slopes rise from corner to corner until the hull itself is as
 * steep. */
static double steepest(const struct hull *h, struct hm_pause_corner end) {
    size_t low = 0, high = h->count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slope(h->corners[middle], h->corners[middle + 1]) < slope(h->corners[middle], end))
            low = middle + 1;
        else
            high = middle;
    }
    return slope(h->corners[low], end);
}

double hm_bmu(const struct hm_pause_span *s, double window, struct hm_pause_corner *room) {
    struct hull hull = {room, 0};
    size_t next = 0;
    double before_next = 0, paused_so_far = 0;
    double least = hm_mmu(s, window);
    if (isnan(least))
        return NAN;
    for (size_t i = 0; i < s->count; i++) {
        paused_so_far += s->ends[i] - s->begins[i];
        for (; next <= i && s->begins[next] <= s->ends[i] - window; next++) {
            push(&hull, (struct hm_pause_corner){s->begins[next], before_next});
            before_next += s->ends[next] - s->begins[next];
        }
        if (hull.count)
            least = fmin(least,
                         1 - steepest(&hull, (struct hm_pause_corner){s->ends[i], paused_so_far}));
    }
    return fmax(0, least);
}
