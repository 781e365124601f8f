/* The order of a round, drawn from the run's seed: the same seed gives the same order. */
#ifndef HM_HARNESS_MEASURE_SHUFFLE_H
#define HM_HARNESS_MEASURE_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

struct hm_shuffle {
    uint64_t state;
};

/** The stream of one round. */
struct hm_shuffle hm_shuffle_of(uint64_t seed, unsigned round);

/** Fisher and Yates' shuffle, in place. */
void hm_shuffle(struct hm_shuffle *shuffle, size_t *items, size_t count);

/** A number for one process: for its nonce and the padding of its environment. */
uint64_t hm_shuffle_salt(uint64_t seed, size_t cell, unsigned round);

#endif
