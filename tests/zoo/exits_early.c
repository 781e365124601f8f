/* The heap ends the process after a while, with exit status 0.
 * caught by: random */
#define ZOO_FREE leaving_free
#include "tests/zoo/base.h"

static void leaving_free(void *p) {
    static unsigned frees;
    if (__atomic_add_fetch(&frees, 1, __ATOMIC_RELAXED) > 200)
        _exit(0);
    base_free(p);
}
