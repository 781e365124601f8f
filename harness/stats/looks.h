/* The looks of a run that stops when it knows enough.
 *
 * Vocabulary
 *   look     all comparisons are judged with the rounds that there are (hm_judge_look)
 *   level    the part of the 5% that a look may be wrong in: an equal one for each look
 *   held     a look that has taken place
 *
 * Whoever looks at growing data again and again at 5%, and stops when it pleases, is wrong far more often than
 * in 5%. The looks are few and fixed beforehand, and their levels add up to 5%: by Bonferroni's inequality the whole run
 * is wrong in at most 5%, whatever the looks have to do with each other. The first look comes as soon as the
 * exact interval of a median exists at that confidence, each of the others after half as many rounds again.
 *
 * Holm's correction at each look follows Maurer and Bretz (Statistics in Biopharmaceutical Research 5,
 * 2013): what was told apart at an earlier look hands its share on.
 *
 * Pure functions, safe in any thread. */
#ifndef HM_HARNESS_STATS_LOOKS_H
#define HM_HARNESS_STATS_LOOKS_H

#include <stdbool.h>

enum {
    HM_LOOKS_MAX = 8,
};

struct hm_looks {
    unsigned count; /* 0: the run has a fixed number of rounds */
    unsigned held;
    unsigned rounds[HM_LOOKS_MAX]; /* after which each is held, ascending */
};

/** @param count 1 .. HM_LOOKS_MAX */
struct hm_looks hm_looks_plan(unsigned count);

/** The level of one look. @return NAN without looks */
double hm_looks_level(const struct hm_looks *looks);

/** The measurement ends between two looks: the next one is held now, in the place of later. Its level is spent
 *  then, and a run that goes on has one look less.
 *  @return false, and nothing changed, when there is nothing new to see, no look left, or no interval
 *  with so few rounds */
bool hm_looks_move(struct hm_looks *looks, unsigned rounds);

#endif
