/* A collection without memory for its stack takes what it would have marked for garbage.
 * caught by: out-of-memory-large out-of-memory-collect */
#define ZOO_OOM_COLLECT 1
#include "tests/zoo_gc/base.h"
