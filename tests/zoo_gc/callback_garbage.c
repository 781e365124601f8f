/* A weak reference that is garbage together with its target is called.
 * caught by: weak-callbacks */
#define ZOO_CALLBACK_GARBAGE 1
#include "tests/zoo_gc/base.h"
