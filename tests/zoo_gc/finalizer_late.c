/* A finalizer runs when its object has been taken apart.
 * caught by: finalizer-acts random */
#define ZOO_FINALIZER_LATE 1
#include "tests/zoo_gc/base.h"
