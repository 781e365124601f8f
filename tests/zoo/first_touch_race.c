/* Two threads that come for their first block at once share a cache.
 * caught by: first-touch */
#define ZOO_MALLOC racing_malloc
#include "tests/zoo/base.h"

#include <sched.h>

static __thread bool began __attribute__((tls_model("initial-exec")));

/* A thread leaves its filled cache for the next one; between the look and the taking, others look. */
static void *racing_malloc(size_t size) {
    static char *shared;
    static unsigned left;
    if (began || size != 24)
        return base_malloc(size);
    began = true;
    if (!left) {
        shared = base_malloc(1024);
        left = 16;
    }
    unsigned mine = left;
    sched_yield();
    left = mine - 1;
    return shared + (mine - 1) * 32 + 32;
}
