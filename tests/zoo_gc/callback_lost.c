/* The callback of the oldest weak reference does not run.
 * caught by: weak-callbacks random */
#define ZOO_CALLBACK_LOST 1
#include "tests/zoo_gc/base.h"
