/* A weak reference that another thread resolves gives a reference that was not counted.
 * caught by: mutators-gil mutators-free */
#define ZOO_WEAK_ELSEWHERE 1
#include "tests/zoo_gc/base.h"
