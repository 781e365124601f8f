/* An allocation fails without a collection.
 * caught by: full-heap */
#define ZOO_NO_RETRY 1
#include "tests/zoo_gc/base.h"
