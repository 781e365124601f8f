/* What came out of a census: a table for people, JSON and CSV for programs. */
#ifndef HM_HARNESS_CENSUS_SHOW_H
#define HM_HARNESS_CENSUS_SHOW_H

#include "harness/census/take.h"

#include <jansson.h>

/** The least value of the bucket in which this part of all counted blocks is reached.
 *  @param part above 0, at most 1  @return UINT64_MAX when no block was counted */
uint64_t hm_census_quantile(const struct hm_census_histogram *histogram, double part);

/** Part of the deaths that were on another thread than the birth; NAN without deaths. */
double hm_census_crossed(const struct hm_census_counts *counts);

/** At 80 columns. */
void hm_census_put_table(FILE *out, const struct hm_census *const *all, size_t count);

/** @return a new object, the caller's */
json_t *hm_census_json(const struct hm_census *const *all, size_t count);

/* The tables of results/README.md; with their head. */
void hm_census_put_csv(FILE *out, const struct hm_census *const *all, size_t count);
void hm_census_put_histogram_csv(FILE *out, const struct hm_census *const *all, size_t count);
void hm_census_put_live_csv(FILE *out, const struct hm_census *const *all, size_t count);

/** What plots/census/census.gp needs to know, for gnuplot: works, work_name[], work_note[],
 *  work_peak[] (bytes) and work_begin[] (of the counted work, in percent of all events); the rows that
 *  each has in census_histogram.csv (hist_from[], hist_to[]) and census_live.csv (live_from[],
 *  live_to[]), from 0; and what plots/style.gp needs. The arrays count from 1. @param machine, date
 *  for the foot of the page */
void hm_census_put_context(FILE *out, const struct hm_census *const *all, size_t count,
                           const char *machine, const char *date);

#endif
