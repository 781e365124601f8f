/* A callback runs twice.
 * caught by: weak-callbacks random */
#define ZOO_CALLBACK_TWICE 1
#include "tests/zoo_gc/base.h"
