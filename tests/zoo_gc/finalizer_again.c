/* A finalizer that runs in another thread than the one that made the object runs twice.
 * caught by: mutators-gil mutators-free */
#define ZOO_FINALIZER_AGAIN 1
#include "tests/zoo_gc/base.h"
