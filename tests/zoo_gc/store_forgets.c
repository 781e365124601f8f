/* A store into the fourth slot of an array does not release what was there.
 * caught by: counts random */
#define ZOO_STORE_FORGETS 1
#include "tests/zoo_gc/base.h"
