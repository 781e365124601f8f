/* Sweeps: one part at several values of its parameters, `PART:KEY=V1,V2,..`
 *
 * Vocabulary
 *   part       an allocator, a stack of them, a collector, a workload, or a configuration's name
 *   swept key  a parameter whose value is a list with commas; where none is, the last one. Several of them are
 *              combined, each value with each, and the last one is what a curve is drawn over
 *   unswept    the part with all its other parameters, and the swept keys at their defaults
 *
 * Allocators and collectors get an arm more, the unswept part, which stands first. Where values are the
 * default, the unswept part is their arm: the same work is not measured twice. Workloads are not compared with each
 * other, and get no such arm. */
#ifndef HM_HARNESS_PLAN_SWEEP_H
#define HM_HARNESS_PLAN_SWEEP_H

#include "harness/plan/request.h"
#include "harness/plan/spec.h"

#include <stddef.h>

enum {
    HM_SWEEP_KEYS = 4,
    HM_SWEEP_ARMS = 254, /* as many as a list of a matrix has items */
};

struct hm_sweep_value {
    char *text;     /* as given */
    int64_t number; /* of a count or of bytes; the index of a choice */
    bool is_number; /* a count or bytes */
    bool initial;   /* the parameter's default */
};

/** One swept parameter. */
struct hm_sweep_key {
    char *name;
    struct hm_sweep_value *values;
    size_t count;
    struct hm_sweep_value
        initial; /* the default; text NULL: not known, or a 0 or -1 that stands for others */
};

struct hm_sweep_arm {
    char *label;                                        /* the item of the matrix's list */
    const struct hm_sweep_value *values[HM_SWEEP_KEYS]; /* of each key; NULL: not known */
    bool unswept;                                       /* the part at its defaults */
};

struct hm_sweep {
    char *text;       /* as given, without blanks */
    const char *kind; /* "allocator", "collector" or "workload" */
    char *unswept;    /* label of the unswept part */
    struct hm_sweep_key keys[HM_SWEEP_KEYS];
    size_t key_count;
    struct hm_sweep_arm *arms;
    size_t arm_count;
};

/** Parse a sweep, without blanks in it. Parameters are checked when arms are made of it.
 *  @param request its configurations may be named  @return 0 and *out (hm_sweep_free it), or EINVAL or ENOMEM
 *  with one line */
int hm_sweep_parse(const char *text, const struct hm_request *request, struct hm_sweep **out,
                   struct hm_error *error);
void hm_sweep_free(struct hm_sweep *sweep);

#endif
