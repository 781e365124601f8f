/* The cells of a run, as its result files tell of them. */
#ifndef HM_HARNESS_REPORT_CELLS_H
#define HM_HARNESS_REPORT_CELLS_H

#include "harness/error.h"
#include "harness/stats/warmup.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct hm_report_cell {
    char *id, *allocator, *collector; /* collector: "" for a heap workload */
    char *workload;                   /* with its parameters, as in the id */
    char *baseline; /* the cell or allocator that it is compared with; NULL: not known */
    long threads;
    bool measured; /* has a row in stats.csv */
    long failures; /* rows of samples.csv */
    char *failure; /* what the last one was; NULL without one */
    long pauses, mmu_points, garbage_points, iterations; /* rows of series.csv */
    /* Of processes: those whose garbage was looked at and which of them fell, were stable and grew; and those of the
     * warm-up pass by their label. */
    long garbage_processes, trends[3], warmup_processes, labels[HM_WARMUP_UNKNOWN];
    /* The first round that series.csv has the space or the garbage of, and that round's rows,
     * counted from 0 without the header. round is -1 without one. */
    long round, first, last;
};

struct hm_report_cells {
    struct hm_report_cell *at;
    size_t count; /* in the order of stats.csv, then of samples.csv */
    size_t found; /* looked up last: rows of one cell follow each other */
    json_t *run;  /* run.json; NULL when missing or malformed */
};

/** Read a run's files. Main thread. @param run_dir has stats.csv; the others may be missing
 *  @param out zeroed; hm_report_cells_free() it in any case
 *  @return 0, or a positive errno with one line */
int hm_report_cells_read(struct hm_report_cells *out, const char *run_dir, struct hm_error *error);
void hm_report_cells_free(struct hm_report_cells *cells);

/** Grow an array by one zeroed item. @param array_of_items pointer to the array's pointer
 *  @return the item, or NULL with the array as it was */
void *hm_report_append(void *array_of_items, size_t *count, size_t item_bytes);

#endif
