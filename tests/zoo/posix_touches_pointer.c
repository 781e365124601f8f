/* posix_memalign sets the caller's pointer to NULL when it fails.
 * caught by: posix-memalign */
#define ZOO_POSIX_MEMALIGN clearing
#include "tests/zoo/base.h"

static int clearing(void **out, size_t alignment, size_t size) {
    int code = base_posix_memalign(out, alignment, size);
    if (code)
        *out = NULL;
    return code;
}
