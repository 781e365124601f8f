/* A size just above a class is served from that class.
 * caught by: overlap */
#define ZOO_MALLOC short_malloc
#include "tests/zoo/base.h"

static void *short_malloc(size_t size) {
    return base_malloc(size % 512 == 1 && size > 1 ? size - 1 : size);
}
