/* The global lock of the mutators. */
#include "collectors/safepoint.h"

struct hm_gil hm_mutators_gil;

void hm_mutators_open(void) {
    hm_gil_open(&hm_mutators_gil);
}

void hm_mutators_enter(void) {
    hm_gil_take(&hm_mutators_gil);
}

void hm_mutators_leave(void) {
    hm_gil_drop(&hm_mutators_gil);
}

void hm_mutators_yield(void) {
    hm_gil_drop(&hm_mutators_gil);
    hm_gil_take(&hm_mutators_gil);
}
