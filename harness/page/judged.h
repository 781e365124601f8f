/* What verdicts there are in a run, and how they are shown. */
#ifndef HM_HARNESS_PAGE_JUDGED_H
#define HM_HARNESS_PAGE_JUDGED_H

#include "harness/page/run.h"

enum {
    HM_PAGE_FASTER,
    HM_PAGE_SLOWER,
    HM_PAGE_EQUIVALENT,
    HM_PAGE_INCONCLUSIVE,
    HM_PAGE_VERDICTS,
};

/** The verdict's name in stats.csv, and what is seen without colour. */
extern const char *const hm_page_verdicts[HM_PAGE_VERDICTS];
extern const char *const hm_page_marks[HM_PAGE_VERDICTS];

/** A metric whose verdicts a report begins with, and what its ratios mean. */
struct hm_page_comparison {
    const char *metric, *caption;
};

enum {
    HM_PAGE_COMPARISONS = 5, /* at most */
};

/** Those of a run: what is usual and was compared; where none of that was, what the run leads with.
 *  @return how many: 0 where nothing was compared */
size_t hm_page_comparisons(const struct hm_page_run *run,
                           struct hm_page_comparison out[HM_PAGE_COMPARISONS]);

/** @return a verdict, or -1 without one */
int hm_page_verdict_of(const struct hm_page_row *row);
/** What it is called for its metric: smaller and larger of bytes, fewer and more of counts; "" for none. */
const char *hm_page_verdict_word(const struct hm_page_row *row);
/** The same of a verdict of some metric. */
const char *hm_page_word(const char *metric, int verdict);

/** How the comparisons of a metric ended, controls left out. @return their number */
size_t hm_page_count(const struct hm_page_run *run, const char *metric,
                     size_t counts[HM_PAGE_VERDICTS]);
/** By how much equal arms differed in the lead metric, at most; 0.03 for 3 %. NAN: not known. */
double hm_page_noise(const struct hm_page_run *run);

#endif
