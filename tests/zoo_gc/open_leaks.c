/* Open keeps a block when there is no memory for the next one.
 * caught by: open-close */
#define ZOO_OPEN_LEAKS 1
#include "tests/zoo_gc/base.h"
