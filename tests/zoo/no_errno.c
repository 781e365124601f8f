/* What is refused leaves errno as it was.
 * caught by: enomem exhaustion */
#define ZOO_MALLOC silent_malloc
#include "tests/zoo/base.h"

static void *silent_malloc(size_t size) {
    int code = errno;
    void *p = base_malloc(size);
    if (!p)
        errno = code;
    return p;
}
