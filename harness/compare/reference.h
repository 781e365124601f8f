/* What the times of a cell are compared by, so that what the machine did between two runs is taken out.
 *
 * A reference is an arm that ran in the same rounds. A change of its own code would be taken for a change
 * of the machine, and out of every other arm: so it must not have changed.
 *
 * Vocabulary
 *   own        an arm with code of heapmark in its way: our allocators, layers, floor, and every
 *              collector. It is the same code when both runs have the same build of heapmark
 *   same       what both runs know of an arm is equal: spec, parameters, environment, and ids of its code
 *   proven     same, and both do know the ids of its code
 *   substitute of a baseline that is not the same: the first proven arm of its group */
#ifndef HM_HARNESS_COMPARE_REFERENCE_H
#define HM_HARNESS_COMPARE_REFERENCE_H

#include "harness/compare/fit.h"
#include "harness/compare/judge.h"

enum hm_sameness {
    HM_PROVEN,
    HM_NOT_KNOWN, /* nothing differs, but the runs do not tell their builds */
    HM_CHANGED,   /* something differs, or may: another build */
};
/** "same", "not known", "changed". */
const char *hm_sameness_name(enum hm_sameness sameness);

/** What both runs know of a cell's code. @param cell of BASE */
enum hm_sameness hm_arm_sameness(const struct hm_compare *all, const struct hm_side_cell *cell);

/** A cell that both runs have measured. @param id may be NULL
 *  @return the cell of BASE, and *fresh of NEW; or NULL */
const struct hm_side_cell *hm_compare_in_both(struct hm_compare *all, const char *id,
                                              const struct hm_metric *metric,
                                              const struct hm_side_cell **fresh);

/** Whether a cell is what others are compared by: how it moved itself is the drift, and is not judged. */
bool hm_is_reference(struct hm_compare *all, const struct hm_side_cell *cell,
                     const struct hm_metric *metric);

/** The arm that a cell's ratios are taken to. @return its id, or NULL: by value */
const char *hm_reference_of(struct hm_compare *all, const struct hm_side_cell *base,
                            const struct hm_side_cell *fresh, const struct hm_metric *metric);

/** Whether --reference names an arm of both runs, or is a word of its own. */
bool hm_reference_is_known(struct hm_compare *all);

/** Tell of references that are not the run's baselines, or not the same. After judging. */
void hm_reference_notes(const struct hm_compare *all, hm_misfit_fn *tell, void *arg);

#endif
