/* A block that another thread frees goes to the wrong class.
 * caught by: cross-thread random-threads */
#define ZOO_FREE wrong_free
#include "tests/zoo/base.h"

static pthread_t first;

__attribute__((constructor)) static void remember(void) {
    first = pthread_self();
}

static void wrong_free(void *p) {
    struct span *span = p ? span_of(p) : NULL;
    if (span && first && span->class < STEP_LIMIT / 16 - 1 &&
        !pthread_equal(first, pthread_self())) {
        ZOO_LOCK();
        push(span->class + 1, p);
        ZOO_UNLOCK();
    } else {
        base_free(p);
    }
}
