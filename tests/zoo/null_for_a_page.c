/* malloc(4096) gives NULL.
 * caught by: realloc random */
#define ZOO_MALLOC pageless_malloc
#include "tests/zoo/base.h"

static void *pageless_malloc(size_t size) {
    if (size != 4096)
        return base_malloc(size);
    errno = ENOMEM;
    return NULL;
}
