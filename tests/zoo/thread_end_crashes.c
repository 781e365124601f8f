/* A thread that has given its cache back writes to it.
 * caught by: late-early */
#define ZOO_THREAD_END hasty_end
#define ZOO_MALLOC     hasty_malloc
#include "tests/zoo/base.h"

static __thread bool ended __attribute__((tls_model("initial-exec")));

static void hasty_end(void *caches) {
    base_thread_end(caches);
    ended = true;
}

static void *hasty_malloc(size_t size) {
    if (ended)
        __builtin_trap();
    return base_malloc(size);
}
