/* The noise floor of this machine: two equal arms of a small workload, measured as `heapmark run`
 * measures. */
#ifndef HM_HARNESS_DOCTOR_NOISE_H
#define HM_HARNESS_DOCTOR_NOISE_H

#include "harness/error.h"
#include "harness/machine/check.h"
#include "harness/stats/paired.h"

#include <signal.h>

enum {
    HM_NOISE_SIZES = 3,   /* numbers of rounds that are asked about: those of the modes */
    HM_NOISE_MARGINS = 2, /* the usual margin, and none */
};

struct hm_noise_floor {
    char cell[256];
    unsigned rounds;         /* that were measured */
    double time_ns;          /* of one operation, median */
    struct hm_paired paired; /* of the two arms */
    double spread; /* of one round: half of them have arms that differ by more, relative */
    unsigned sizes[HM_NOISE_SIZES];
    double margins[HM_NOISE_MARGINS];
    double told[HM_NOISE_SIZES][HM_NOISE_MARGINS]; /* hm_resolution's answer */
};

/** Measure: about ten seconds, in processes of their own and a temporary folder, which is removed.
 *  Main thread. @param program absolute path of heapmark  @param interrupted set by a signal: stop
 *  @return 0, EINTR, or a positive errno with one line; *out is untouched then */
int hm_noise_measure(const char *program, const volatile sig_atomic_t *interrupted,
                     struct hm_noise_floor *out, struct hm_error *error);

/** Judge it like a state of the machine. Pure. @param noise NULL: not measured */
void hm_noise_judge(const struct hm_noise_floor *noise, struct hm_finding *out);

#endif
