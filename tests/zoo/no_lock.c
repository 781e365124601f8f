/* Nothing keeps the threads apart.
 * ops: 1M
 * caught by: random-threads */
#define ZOO_LOCK         no_lock
#define ZOO_UNLOCK       no_lock
#define ZOO_CACHE_BLOCKS 1u
#include "tests/zoo/base.h"

static void no_lock(void) {
}
