/* A collection makes what is immortal mortal again.
 * caught by: immortal random */
#define ZOO_IMMORTAL_GOES 1
#include "tests/zoo_gc/base.h"
