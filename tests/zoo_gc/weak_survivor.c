/* A collection clears a weak reference to a leaf that survives.
 * caught by: weak-cleared random */
#define ZOO_WEAK_SURVIVOR 1
#include "tests/zoo_gc/base.h"
