/* What a program may ask of `generational` while it runs: CPython's gc module (Modules/gcmodule.c). */
#ifndef HM_COLLECTORS_GENERATIONAL_CONTROL_H
#define HM_COLLECTORS_GENERATIONAL_CONTROL_H

#include "collectors/generational.h"
#include "collectors/isolated.h"

extern const struct hm_gc_control hm_generational_control;

/** After a change of threshold 0 or `automatic`. */
void hm_generational_set_limit(struct hm_mutator *m);

#endif
