/* When the system has no memory, a live block is handed out once more.
 * caught by: exhaustion */
#define ZOO_MALLOC desperate_malloc
#include "tests/zoo/base.h"

static void *desperate_malloc(size_t size) {
    static char *latest;
    char *p = base_malloc(size);
    if (p && size >= 20000)
        latest = p;
    else if (!p && size < 1 << 20 && latest)
        memset(latest, 0, 16);
    return p;
}
