/* The figures that only a workload knows. */
#include "harness/cell/figures.h"

#include "harness/cell/channel.h"

#include <math.h>

unsigned hm_figure_count(const struct hm_workload *workload) {
    unsigned count = 0;
    while (workload->measure && workload->figures && workload->figures[count].name)
        count++;
    return count;
}

static double combine(const struct hm_figure *figure, double a, double b) {
    switch (figure->over_threads) {
    case HM_FIGURE_MAX:
        return fmax(a, b);
    case HM_FIGURE_MIN:
        return fmin(a, b);
    default:
        return a + b;
    }
}

double hm_figure_over_threads(const struct hm_figure *figure, const double *values,
                              unsigned threads, unsigned stride) {
    double all = NAN;
    for (unsigned i = 0; i < threads; i++) {
        double value = values[(size_t)i * stride];
        if (!isnan(value))
            all = isnan(all) ? value : combine(figure, all, value);
    }
    return all;
}

void hm_tell_figures(const struct hm_workload *workload, const double *values, unsigned threads) {
    unsigned count = hm_figure_count(workload);
    for (unsigned i = 0; i < count; i++) {
        const struct hm_figure *figure = &workload->figures[i];
        double value = hm_figure_over_threads(figure, values + i, threads, count);
        if (isfinite(value))
            hm_tell("value %s -1 %.17g", figure->name, value);
    }
}
