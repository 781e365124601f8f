/* The order of a round. */
#include "harness/measure/shuffle.h"

/* Vigna's splitmix64. */
static uint64_t next(struct hm_shuffle *s) {
    uint64_t z = s->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct hm_shuffle hm_shuffle_of(uint64_t seed, unsigned round) {
    struct hm_shuffle s = {seed};
    s.state = next(&s) + round;
    return s;
}

void hm_shuffle(struct hm_shuffle *shuffle, size_t *items, size_t count) {
    for (size_t left = count; left > 1; left--) {
        size_t chosen = (size_t)(((unsigned __int128)next(shuffle) * left) >> 64);
        size_t last = items[left - 1];
        items[left - 1] = items[chosen];
        items[chosen] = last;
    }
}

uint64_t hm_shuffle_salt(uint64_t seed, size_t cell, unsigned round) {
    struct hm_shuffle s = hm_shuffle_of(seed + cell, round);
    return next(&s);
}
