/* A collection frees arrays of four slots that have one reference.
 * caught by: reachable random */
#define ZOO_PREMATURE 1
#include "tests/zoo_gc/base.h"
