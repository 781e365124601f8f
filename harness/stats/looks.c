/* The plan of looks. */
#include "harness/stats/looks.h"

#include "harness/stats/special.h"
#include "harness/stats/verdict.h"

#include <math.h>

double hm_looks_level(const struct hm_looks *looks) {
    return looks->count ? HM_LEVEL / looks->count : NAN;
}

/* The fewest rounds whose least and greatest value enclose the median with that confidence. */
static unsigned fewest_rounds(double level) {
    unsigned rounds = 1;
    while (hm_binomial_lower(0, rounds, 0.5) > level / 2)
        rounds++;
    return rounds;
}

struct hm_looks hm_looks_plan(unsigned count) {
    struct hm_looks looks = {.count = count};
    unsigned rounds = fewest_rounds(hm_looks_level(&looks));
    for (unsigned i = 0; i < count; i++, rounds += rounds / 2)
        looks.rounds[i] = rounds;
    return looks;
}

bool hm_looks_move(struct hm_looks *looks, unsigned rounds) {
    if (looks->held == looks->count || rounds < fewest_rounds(hm_looks_level(looks)) ||
        (looks->held && rounds <= looks->rounds[looks->held - 1]))
        return false;
    looks->rounds[looks->held] = rounds;
    return true;
}
