/* Nothing keeps the threads apart, and now and then one is interrupted where it hurts.
 * ops: 1M
 * caught by: random-threads */
#define ZOO_LOCK         no_lock
#define ZOO_UNLOCK       no_lock
#define ZOO_MEANWHILE    now_and_then
#define ZOO_CACHE_BLOCKS 1u

static void now_and_then(void);

#include "tests/zoo/base.h"

#include <sched.h>

static void no_lock(void) {
}

static void now_and_then(void) {
    static _Thread_local unsigned calls;
    if (++calls % 64 == 0)
        sched_yield();
}
