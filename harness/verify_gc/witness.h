/* What a world sees, and checks: for world.c.
 *
 * Finalizers and callbacks of all nodes are here, and the mirror's mark. */
#ifndef HM_HARNESS_VERIFY_GC_WITNESS_H
#define HM_HARNESS_VERIFY_GC_WITNESS_H

#include "harness/verify_gc/world.h"

/** The world whose finalizers and callbacks run from now on; its heap is watched. */
void hm_witness_begin(struct hm_world *w);
void hm_witness_end(struct hm_world *w);

const struct hm_type *hm_witness_type(enum hm_node_kind kind, bool finalizes);
hm_weak_fn *hm_witness_callback(bool calls_back);

/** Add to the log of what happened. */
void hm_witness_note(struct hm_world *w, const char *what, int number);
/** The mark is new: who is not reachable is garbage. */
void hm_witness_note_garbage(struct hm_world *w);

/** A new object has NULL in its slots and zeros in its payload; number it. */
void hm_witness_check_new(struct hm_world *w, int n);
/** Nobody that is reachable was freed; with counts, whom nobody refers to was. */
void hm_witness_check_lives(struct hm_world *w);
/** The target of a live reference, checked. */
int hm_witness_deref(struct hm_world *w, int reference);

#endif
