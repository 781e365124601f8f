/* free(NULL) crashes, once the program has begun.
 * caught by: free-null-errno */
#define ZOO_FREE rash_free
#include "tests/zoo/base.h"

static void rash_free(void *p) {
    if (!p && errno == EXDEV)
        __builtin_trap();
    base_free(p);
}
