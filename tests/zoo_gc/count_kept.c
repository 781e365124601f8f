/* A collection leaves a count higher than it was.
 * caught by: counts random */
#define ZOO_COUNT_KEPT 1
#include "tests/zoo_gc/base.h"
