/* Weak references into cyclic garbage are cleared one target after the other, callbacks in between.
 * caught by: weak-cleared */
#define ZOO_WEAK_LATE 1
#include "tests/zoo_gc/base.h"
