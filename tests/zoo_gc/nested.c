/* A finalizer can start a collection inside of a collection.
 * caught by: nested-collect */
#define ZOO_NESTED 1
#include "tests/zoo_gc/base.h"
