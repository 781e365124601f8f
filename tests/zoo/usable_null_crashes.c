/* malloc_usable_size(NULL) crashes.
 * caught by: usable-size */
#define ZOO_USABLE rash_usable
#include "tests/zoo/base.h"

static size_t rash_usable(void *p) {
    return span_of(p)->room;
}
