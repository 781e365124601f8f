/* A young collection takes references from older objects for its own: they keep nothing alive.
 * caught by: old-to-young */
#define ZOO_OLD_TO_YOUNG 1
#include "tests/zoo_gc/base.h"
