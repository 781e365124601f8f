/* The answer of `heapmark doctor`, and how it is shown. */
#ifndef HM_HARNESS_DOCTOR_DIAGNOSIS_H
#define HM_HARNESS_DOCTOR_DIAGNOSIS_H

#include "harness/doctor/noise.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    HM_FINDINGS_MAX = 32,
};

struct hm_diagnosis {
    struct hm_finding findings[HM_FINDINGS_MAX]; /* the noise is the last */
    size_t count;
    bool fit;                           /* nothing is bad */
    const struct hm_noise_floor *noise; /* borrowed; NULL: not measured */
    bool is_copy;                       /* of another machine's files */
};

/** Judge a machine. Pure.
 *  @param earlier a state from before, or NULL: what grows is judged since boot
 *  @param noise or NULL */
struct hm_diagnosis hm_diagnose(const struct hm_machine_state *now,
                                const struct hm_machine_state *earlier,
                                const struct hm_noise_floor *noise);

/** Print it for people, at most 80 columns wide. Looks for what is installed, but not for a copy. */
void hm_diagnosis_show(FILE *out, const struct hm_diagnosis *diagnosis);

/** Print it as one JSON object. @return 0 or ENOMEM */
int hm_diagnosis_write(FILE *out, const struct hm_diagnosis *diagnosis);

#endif
