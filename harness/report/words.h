/* How the tables on the terminal name what stats.csv names by labels. */
#ifndef HM_HARNESS_REPORT_WORDS_H
#define HM_HARNESS_REPORT_WORDS_H

#include "harness/results/csv.h"
#include "harness/results/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Whether the row at which a stats.csv stands is of a whole program. */
bool hm_words_is_program(const struct hm_csv *csv);
/** "churn, 2 threads", of the row at which it stands; of a program its name. */
void hm_words_group(const struct hm_csv *csv, char *out, size_t size);
/** Where a page of a table ends. */
enum {
    HM_WORDS_PAGE = 80
};

/** A label that fits a column: cut in the middle, where it is longer, since both ends tell labels apart.
 *  @param width columns, at least 4  @param out room for as many bytes and one more  @return out */
const char *hm_words_cut(const char *label, int width, char *out);
/** A label at the head of a row: in its column, or on a line of its own where it does not fit
 *  with a blank behind it.
 *  @param margin spaces in front of it  @param width of the column behind the margin */
void hm_words_put_label(FILE *out, const char *label, int margin, int width);

/** "1.03 [1.01, 1.06]", with as many digits as `width` has room for; [NA] where there is no interval.
 *  @return out */
const char *hm_words_ratio(double ratio, double low, double high, int width, char *out,
                           size_t size);
/** A time with its unit, nine columns wide; NA. */
void hm_words_put_duration(FILE *out, double ns);
/** A verdict in words that fit the metric: bytes are smaller or larger, counts fewer or more.
 *  @param verdict as in stats.csv  @return static storage, or `verdict` itself */
const char *hm_words_verdict(const struct hm_metric *metric, const char *verdict);

/** "A/A: system", "refcount on pool". @param collector "-" for none */
void hm_words_arm(const char *allocator, const char *collector, char *out, size_t size);

#endif
