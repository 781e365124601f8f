/* Every second collector in a process runs its finalizers in the opposite order.
 * caught by: deterministic */
#define ZOO_NO_ORDER 1
#include "tests/zoo_gc/base.h"
