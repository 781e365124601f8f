/* The library's own destructor frees what is not a block.
 * caught by: late-early */
#include "tests/zoo/base.h"

__attribute__((destructor)) static void tear_down(void) {
    base_free((void *)(uintptr_t)(SPAN_BYTES + SPAN_HEADER));
}
