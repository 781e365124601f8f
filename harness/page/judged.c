/* Verdicts. */
#include "harness/page/judged.h"

#include <math.h>
#include <string.h>

const char *const hm_page_verdicts[HM_PAGE_VERDICTS] = {"faster", "slower", "equivalent",
                                                        "inconclusive"};
const char *const hm_page_marks[HM_PAGE_VERDICTS] = {"\xE2\x96\xB2", "\xE2\x96\xBC", "=", "?"};

static const struct hm_page_comparison usual[HM_PAGE_COMPARISONS] = {
    {"ops_per_second", "Speed against the baseline: 2 is twice as fast"},
    {"wall_ns", "Wall time over the baseline's: below 1 is faster"},
    {"footprint_bytes", "Peak footprint over the baseline's: below 1 is smaller"},
    {"peak_rss_bytes", "Peak memory of the process over the baseline's: below 1 is smaller"},
    {"instructions_per_op", "Instructions over the baseline's: below 1 is fewer"},
};

int hm_page_verdict_of(const struct hm_page_row *row) {
    for (int i = 0; i < HM_PAGE_VERDICTS; i++)
        if (strcmp(row->verdict, hm_page_verdicts[i]) == 0)
            return i;
    return -1;
}

const char *hm_page_word(const char *metric, int verdict) {
    static const char *const words[][HM_PAGE_VERDICTS] = {
        {"faster", "slower", "equivalent", "inconclusive"},
        {"smaller", "larger", "equivalent", "inconclusive"},
        {"fewer", "more", "equivalent", "inconclusive"},
    };
    const struct hm_metric *known = hm_metric_find(metric);
    bool bytes = known && strcmp(known->unit, "bytes") == 0;
    bool counted = known && hm_metric_is_counted(known);
    return words[bytes ? 1 : counted ? 2 : 0][verdict];
}

const char *hm_page_verdict_word(const struct hm_page_row *row) {
    int verdict = hm_page_verdict_of(row);
    return verdict < 0 ? "" : hm_page_word(row->metric_name, verdict);
}

size_t hm_page_count(const struct hm_page_run *run, const char *metric,
                     size_t counts[HM_PAGE_VERDICTS]) {
    size_t all = 0;
    memset(counts, 0, HM_PAGE_VERDICTS * sizeof *counts);
    for (size_t i = 0; i < run->row_count; i++) {
        const struct hm_page_row *row = &run->rows[i];
        if (row->is_control || hm_page_verdict_of(row) < 0 || strcmp(row->metric_name, metric) != 0)
            continue;
        counts[hm_page_verdict_of(row)]++;
        all++;
    }
    return all;
}

size_t hm_page_comparisons(const struct hm_page_run *run,
                           struct hm_page_comparison out[HM_PAGE_COMPARISONS]) {
    size_t counts[HM_PAGE_VERDICTS];
    size_t count = 0;
    for (size_t i = 0; i < HM_PAGE_COMPARISONS; i++)
        if (hm_page_count(run, usual[i].metric, counts))
            out[count++] = usual[i];
    for (size_t i = 0; !count && i < run->row_count; i++) {
        const struct hm_page_row *row = &run->rows[i];
        if (row->metric && hm_page_count(run, row->metric_name, counts))
            out[count++] = (struct hm_page_comparison){
                row->metric_name, row->metric->better == HM_BETTER_HIGHER
                                      ? "Ratio to the baseline: above 1 is better"
                                      : "Ratio to the baseline: below 1 is better"};
    }
    return count;
}

double hm_page_noise(const struct hm_page_run *run) {
    double most = NAN;
    for (size_t i = 0; run->lead && i < run->row_count; i++) {
        const struct hm_page_row *row = &run->rows[i];
        if (strncmp(run->arms[row->arm], "A/A", 3) == 0 && row->ratio > 0 &&
            strcmp(row->metric_name, run->lead) == 0)
            most = fmax(most, fabs(log(row->ratio)));
    }
    return expm1(most);
}
