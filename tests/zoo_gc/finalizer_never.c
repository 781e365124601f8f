/* Cyclic garbage is freed without its finalizers.
 * caught by: finalizer-once random */
#define ZOO_FINALIZER_NEVER 1
#include "tests/zoo_gc/base.h"
