/* fork does not take the lock.
 * ops: 1M
 * caught by: fork */
#define ZOO_PREPARE_FORK nothing
#define ZOO_AFTER_FORK   nothing
#define ZOO_FREE         uncached_free
#include "tests/zoo/base.h"

static void nothing(void) {
}

/* Holds the lock for as long as a busy heap would. */
static void uncached_free(void *p) {
    base_lock();
    for (volatile int i = 0; i < 20000; i++)
        ;
    base_unlock();
    base_free(p);
}
