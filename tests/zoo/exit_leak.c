/* The blocks that a thread keeps are lost when it ends.
 * caught by: cross-thread */
#define ZOO_THREAD_END   forget
#define ZOO_CACHE_BLOCKS 512u
#include "tests/zoo/base.h"

static void forget(void *caches) {
    (void)caches;
}
