/* Death recurses.
 * caught by: deep-chain */
#define ZOO_DEEP_DEATH 1
#include "tests/zoo_gc/base.h"
