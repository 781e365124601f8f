/* Random scripts for collectors: made of a seed alone, played on a world, and printed in the language
 * of `heapmark sim`.
 *
 * An operation names objects by the numbers that the script gave them. One that has become impossible,
 * for its object is dead or was never made, is left out when it is played: so any part of a script is a
 * script. */
#ifndef HM_HARNESS_VERIFY_GC_SCRIPT_H
#define HM_HARNESS_VERIFY_GC_SCRIPT_H

#include "harness/verify_gc/world.h"

#include <stdio.h>

enum {
    HM_GC_OPS_MAX = 1600,
    HM_GC_IDS_MAX = 480, /* objects of one script, weak references included */
};

enum hm_gc_verb {
    HM_GC_NEW,
    HM_GC_DROP,
    HM_GC_REF,
    HM_GC_CLEAR,
    HM_GC_WEAK,
    HM_GC_DEREF,
    HM_GC_COLLECT,
    HM_GC_THRESHOLD,
    HM_GC_ENABLE,
    HM_GC_DISABLE,
    HM_GC_FREEZE,
    HM_GC_UNFREEZE,
    HM_GC_IMMORTAL,
};

enum hm_gc_act {
    HM_GC_NO_FINALIZER,
    HM_GC_FINALIZER,
    HM_GC_RESURRECT,
    HM_GC_COLLECTS,
    HM_GC_DROPS,
};

struct hm_gc_op {
    uint8_t verb;
    uint8_t kind; /* of a new object */
    uint8_t slot; /* or how many slots, a generation, a threshold */
    uint8_t act;  /* of a new object's finalizer */
    int16_t id;   /* that the line is about */
    int16_t to;   /* the other one */
};

/** Make a script. @param ops room for HM_GC_OPS_MAX  @return how many operations it has */
size_t hm_gc_script_make(uint64_t seed, uint64_t number, struct hm_gc_op *ops);

/** Play it on a world that was just opened, and leave it to be closed. @param out NULL, or where the
 *  lines are printed that were played; an object's name there is its node's number */
void hm_gc_script_play(struct hm_world *w, const struct hm_gc_op *ops, size_t count, FILE *out);

#endif
