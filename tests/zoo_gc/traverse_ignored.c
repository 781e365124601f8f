/* A type's own `traverse` is not asked: what it leaves out is taken to be known.
 * caught by: own-traverse */
#define ZOO_TRAVERSE_IGNORED 1
#include "tests/zoo_gc/base.h"
