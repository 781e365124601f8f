/* Between the files that build a plan: what each of them needs of the others. */
#ifndef HM_HARNESS_PLAN_BUILD_H
#define HM_HARNESS_PLAN_BUILD_H

#include "harness/plan/plan.h"

enum {
    HM_BUILD_LIST_MAX = 256, /* longest list of one matrix */
    HM_BUILD_LIST_ITEMS = HM_BUILD_LIST_MAX - 2,
};

struct hm_builder {
    struct hm_plan *plan;
    const struct hm_request *request;
    const struct hm_topology *topology;
    struct hm_error *error;
};

/* One matrix with its lists resolved. */
struct hm_lists {
    struct hm_arm *arms[HM_BUILD_LIST_MAX];
    struct hm_collector_arm *collectors[HM_BUILD_LIST_MAX];
    struct hm_workload_arm *workloads[HM_BUILD_LIST_MAX];
    unsigned threads[HM_BUILD_LIST_MAX];
    size_t arm_count, collector_count, workload_count, thread_count;
};

enum hm_list_kind {
    HM_LIST_ALLOCATORS,
    HM_LIST_COLLECTORS,
    HM_LIST_WORKLOADS,
    HM_LIST_THREADS,
};

/** Append a zeroed item of its own to an array of pointers. Items never move. @return NULL: no memory */
void *hm_build_append(void *array_of_pointers, size_t *count, size_t bytes);
int hm_build_out_of_memory(struct hm_builder *b);

/** Resolve one allocator, once for each label. */
int hm_build_arm(struct hm_builder *b, const char *text, struct hm_arm **out);
/** The A/A arm of an allocator: a copy with a label of its own. */
int hm_build_again(struct hm_builder *b, const struct hm_arm *arm, struct hm_arm **out);
/** In the place of an allocator where there is no heap. */
int hm_build_no_heap(struct hm_builder *b, struct hm_arm **out);
/** Resolve one list. @param text as the user gave it; NULL: the fallback */
int hm_build_list(struct hm_builder *b, struct hm_lists *l, enum hm_list_kind kind,
                  const char *text, const char *fallback);
/** A matrix with its sweeps in the lists, which are noted in the plan; hm_matrix_free it in any case.
 *  @param out zeroed */
int hm_build_sweeps(struct hm_builder *b, const struct hm_matrix *m, struct hm_matrix *out);
/** Whether each sweep of the plan has cells. */
int hm_build_check_sweeps(struct hm_builder *b);
/** Move the baseline to the front. */
int hm_build_baseline(struct hm_builder *b, struct hm_lists *l);

/** Place a group's threads, and add one cell to it. */
int hm_build_place(struct hm_builder *b, struct hm_group *group);
int hm_build_cell(struct hm_builder *b, struct hm_group *group, struct hm_arm *arm,
                  struct hm_collector_arm *collector, size_t baseline);
/** Add the groups of the request's programs. */
int hm_build_programs(struct hm_builder *b, const struct hm_lists *l);

#endif
