/* Freed leaves are not counted.
 * caught by: acyclic-garbage random */
#define ZOO_STATS_WRONG 1
#include "tests/zoo_gc/base.h"
