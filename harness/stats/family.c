/* The geometric mean of a family of cells. */
#include "harness/stats/family.h"

#include <math.h>

bool hm_family_at(const double *const *logs, size_t cells, size_t rounds, double confidence,
                  double *scratch, struct hm_paired *out) {
    for (size_t round = 0; round < rounds; round++) {
        double sum = 0;
        for (size_t cell = 0; cell < cells; cell++)
            sum += logs[cell][round];         /* missing in one, missing in all */
        scratch[round] = sum / (double)cells; /* NAN without cells */
    }
    struct hm_paired family = hm_paired_at(scratch, rounds, confidence, scratch);
    if (family.n == 0)
        return false;
    *out = family;
    return true;
}

bool hm_family_of(const double *const *logs, size_t cells, size_t rounds, double *scratch,
                  struct hm_paired *out) {
    return hm_family_at(logs, cells, rounds, HM_CONFIDENCE, scratch, out);
}
