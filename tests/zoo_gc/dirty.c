/* The payload of an array of three slots is not zeroed.
 * caught by: reachable random */
#define ZOO_DIRTY 1
#include "tests/zoo_gc/base.h"
