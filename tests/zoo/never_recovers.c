/* Once the system had no memory, nothing is mapped any more.
 * caught by: exhaustion */
#define ZOO_MAP sulking_map
#include "tests/zoo/base.h"

static bool sulks;

static void *sulking_map(size_t bytes) {
    void *p = sulks ? NULL : base_map(bytes);
    if (!p) {
        sulks = true;
        errno = ENOMEM;
    }
    return p;
}
