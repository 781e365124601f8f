/* Shows what was found: a table of properties by allocators, then one line for each failure. */
#ifndef HM_HARNESS_VERIFY_REPORT_H
#define HM_HARNESS_VERIFY_REPORT_H

#include "harness/verify/judge.h"

#include <stdio.h>

struct hm_verified {
    const struct hm_arm *arm;
    struct hm_finding *findings; /* one for each property; none when the arm is missing */
};

struct hm_verify_report {
    uint64_t ops;
    uint64_t seed;
    const struct hm_property **properties;
    size_t property_count;
    struct hm_verified *arms;
    size_t arm_count;
};

/** At most 80 columns, but for names and operations that are longer. */
void hm_verify_print_table(FILE *out, const struct hm_verify_report *report);
/** One line: how many properties of an arm that is not missing have which verdict. */
void hm_verify_print_counts(FILE *out, const struct hm_verify_report *report,
                            const struct hm_verified *arm);
void hm_verify_print_json(FILE *out, const struct hm_verify_report *report);

/** Whether any property failed. */
bool hm_verify_any_failed(const struct hm_verify_report *report);

#endif
