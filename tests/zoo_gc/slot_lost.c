/* A collection empties the fourth slot of an array.
 * caught by: reachable random */
#define ZOO_SLOT_LOST 1
#include "tests/zoo_gc/base.h"
