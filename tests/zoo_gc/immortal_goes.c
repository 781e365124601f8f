/* A collection takes an immortal container that nobody refers to for garbage.
 * caught by: immortal random */
#define ZOO_IMMORTAL_GOES 1
#include "tests/zoo_gc/base.h"
