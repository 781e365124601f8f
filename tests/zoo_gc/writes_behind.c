/* An array of four slots is a byte longer than its block.
 * caught by: reachable random */
#define ZOO_WRITES_BEHIND 1
#include "tests/zoo_gc/base.h"
