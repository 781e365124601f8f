/* The comparisons of one metric as matrices: arms against groups.
 *
 * Groups that have no arm in common are not compared with one another, and make matrices of their own:
 * the heap workloads one, those with collectors another. */
#ifndef HM_HARNESS_PAGE_GRID_H
#define HM_HARNESS_PAGE_GRID_H

#include "harness/page/run.h"

struct hm_page_grid {
    const struct hm_page_run *run;
    const char *metric;
    const struct hm_page_row **at; /* [group][arm]; NULL where there is none */
    size_t *matrix; /* [group]: the first group of its matrix; SIZE_MAX without a row */
};

/** @return 0 or ENOMEM. hm_page_grid_free() it in any case. */
int hm_page_grid_make(struct hm_page_grid *out, const struct hm_page_run *run, const char *metric);
void hm_page_grid_free(struct hm_page_grid *grid);

const struct hm_page_row *hm_page_grid_at(const struct hm_page_grid *grid, size_t group,
                                          size_t arm);
/** Whether an arm has a row in any group of a matrix. */
bool hm_page_grid_has_arm(const struct hm_page_grid *grid, size_t matrix, size_t arm);

#endif
