/* The blocks of one class lie one byte too close: each begins on the last byte of the one before.
 * caught by: overlap */
#define ZOO_CLASS_BYTES close_bytes
#include "tests/zoo/base.h"

static size_t close_bytes(unsigned class) {
    return base_class_bytes(class) - (class == 7);
}
