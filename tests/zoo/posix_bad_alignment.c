/* posix_memalign takes any alignment.
 * caught by: posix-memalign */
#define ZOO_POSIX_MEMALIGN lenient
#include "tests/zoo/base.h"

static int lenient(void **out, size_t alignment, size_t size) {
    return alignment == 24 ? base_posix_memalign(out, 32, size)
                           : base_posix_memalign(out, alignment, size);
}
