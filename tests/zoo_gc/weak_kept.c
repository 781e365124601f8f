/* A weak reference is not cleared when its target dies.
 * caught by: weak-cleared weak-callbacks random */
#define ZOO_WEAK_KEPT 1
#include "tests/zoo_gc/base.h"
