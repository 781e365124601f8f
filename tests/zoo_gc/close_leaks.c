/* Close keeps a block of its own.
 * caught by: open-close reachable */
#define ZOO_CLOSE_LEAKS 1
#include "tests/zoo_gc/base.h"
