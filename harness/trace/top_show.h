/* Sites in their order, as a table of 80 columns, as CSV and as JSON. */
#ifndef HM_HARNESS_TRACE_TOP_SHOW_H
#define HM_HARNESS_TRACE_TOP_SHOW_H

#include "harness/trace/sum.h"

enum hm_top_sort {
    HM_TOP_BYTES,
    HM_TOP_BLOCKS,
    HM_TOP_PEAK,
    HM_TOP_OWN,
    HM_TOP_CHURN,
    HM_TOP_LIVE,
    HM_TOP_TEMPORARY,
    HM_TOP_SORTS,
};

extern const char *const hm_top_sort_names[HM_TOP_SORTS];

struct hm_top_row {
    const struct hm_site *site;
    const char *name;
};

struct hm_top_list {
    const struct hm_sum *sum; /* which must stay */
    enum hm_top_sort sort;
    struct hm_top_row *rows;
    size_t count;
};

/** Bytes allocated for each byte of the site's own peak; 0 for none. */
double hm_top_churn(const struct hm_site *site);

/** The greatest first; of equal ones that of the lower name. @return 0 or ENOMEM */
int hm_top_list_make(struct hm_top_list *out, const struct hm_sum *sum, enum hm_top_sort sort);
void hm_top_list_free(struct hm_top_list *list);

/** The first rows, all others in one, and the sum. */
void hm_top_put_table(FILE *out, const struct hm_top_list *list, size_t rows);
void hm_top_put_csv(FILE *out, const struct hm_top_list *list, size_t rows);
/** @return 0 or ENOMEM */
int hm_top_put_json(FILE *out, const struct hm_top_list *list, size_t rows);

#endif
