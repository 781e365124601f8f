/* Trend of a quantity that should be bounded. */
#include "harness/stats/trend.h"

#include "harness/stats/order.h"

#include <math.h>
#include <string.h>

static const double errors_beyond_doubt = 2.58; /* 1 % of a normal distribution lies outside */
static const double stable_part = 0.1;

enum {
    LAST_PART = 10,
};

/* The points from the middle on. */
struct half {
    const double *x, *y;
    size_t n;
};

size_t hm_trend_room(size_t n) {
    size_t half = n - n / 2;
    return half * half / 2 + n + 1;
}

static double median(double *values, size_t n) {
    hm_sort(values, n);
    return hm_quantile(values, n, 0.5);
}

static double theil_sen(const struct half *h, double *room) {
    size_t count = 0;
    for (size_t i = 0; i < h->n; i++)
        for (size_t k = i + 1; k < h->n; k++)
            if (h->x[k] > h->x[i])
                room[count++] = (h->y[k] - h->y[i]) / (h->x[k] - h->x[i]);
    return median(room, count);
}

/* @param rest receives what the line through the points' middle leaves of each */
static void leave_residuals(const struct half *h, double slope, double *rest) {
    double mean = 0;
    for (size_t i = 0; i < h->n; i++) {
        rest[i] = h->y[i] - slope * h->x[i];
        mean += rest[i] / (double)h->n;
    }
    for (size_t i = 0; i < h->n; i++)
        rest[i] -= mean;
}

static double error_of(const struct half *h, const double *rest) {
    double mean = 0, spread = 0, squares = 0, products = 0;
    for (size_t i = 0; i < h->n; i++)
        mean += h->x[i] / (double)h->n;
    for (size_t i = 0; i < h->n; i++) {
        spread += (h->x[i] - mean) * (h->x[i] - mean);
        squares += rest[i] * rest[i];
        products += i ? rest[i] * rest[i - 1] : 0;
    }
    double r = squares > 0 ? fmin(fmax(products / squares, 0), 0.99) : 0;
    return sqrt(squares / (double)(h->n - 2) / spread * (1 + r) / (1 - r));
}

struct range {
    double low, high;
};

static struct range range_of(const double *y, size_t n) {
    struct range r = {INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        r.low = fmin(r.low, y[i]);
        r.high = fmax(r.high, y[i]);
    }
    return r;
}

static double end_of(const double *y, size_t n, double *room) {
    size_t last = n / LAST_PART;
    memcpy(room, y + n - last, last * sizeof *y);
    return median(room, last);
}

struct hm_trend hm_trend_of(const double *x, const double *y, size_t n, double level,
                            double *room) {
    struct hm_trend t = {HM_TREND_UNKNOWN, NAN, NAN};
    const struct half h = {x + n / 2, y + n / 2, n - n / 2};
    if (n < HM_TREND_LEAST || !(x[n - 1] > h.x[0]))
        return t;
    t.slope = theil_sen(&h, room);
    leave_residuals(&h, t.slope, room);
    t.error = error_of(&h, room);
    double doubt = errors_beyond_doubt * t.error;
    double end = end_of(y, n, room);
    double change = fabs(t.slope) * (x[n - 1] - h.x[0]);
    struct range before = range_of(y, n / 2), then = range_of(h.y, h.n);
    double nothing = stable_part * (level + fmax(before.high, then.high));
    if (end > before.high && t.slope > doubt)
        t.label = HM_TREND_GROWING;
    else if (end < before.low && t.slope < -doubt)
        t.label = HM_TREND_FALLING;
    else if (change <= nothing ||
             (then.high <= before.high + nothing && then.low >= before.low - nothing))
        t.label = HM_TREND_STABLE;
    return t;
}

const char *hm_trend_name(enum hm_trend_label label) {
    static const char *const names[] = {"falling", "stable", "growing", "not known"};
    return names[label + 1];
}
