/* A type's own `clear` is called for what dies of its last reference, too.
 * caught by: own-traverse */
#define ZOO_CLEAR_AT_DEATH 1
#include "tests/zoo_gc/base.h"
