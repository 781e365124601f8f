/* A weak reference that dies stays on the list of its target.
 * caught by: weak-callbacks random */
#define ZOO_CALLBACK_OF_DEAD 1
#include "tests/zoo_gc/base.h"
