/* Shows what was found: a table of properties by collectors, then one line for each failure. */
#ifndef HM_HARNESS_VERIFY_GC_REPORT_H
#define HM_HARNESS_VERIFY_GC_REPORT_H

#include "harness/verify_gc/judge.h"

#include <stdio.h>

struct hm_gc_verified {
    char spec[HM_SPEC_BYTES];
    const char *label;              /* into spec: without a path's folders */
    char missing[256];              /* why it can not be checked here; else "" */
    struct hm_gc_finding *findings; /* one for each property */
};

struct hm_gc_report {
    uint64_t ops;
    uint64_t seed;
    const struct hm_gc_property **properties;
    size_t property_count;
    struct hm_gc_verified *arms;
    size_t arm_count;
};

/** At most 80 columns, but for names and lines of scripts that are longer. */
void hm_gc_print_table(FILE *out, const struct hm_gc_report *report);
void hm_gc_print_json(FILE *out, const struct hm_gc_report *report);

/** Whether any property failed. */
bool hm_gc_any_failed(const struct hm_gc_report *report);

#endif
