/* Marking recurses.
 * caught by: deep-chain deep-cycle */
#define ZOO_DEEP_MARK 1
#include "tests/zoo_gc/base.h"
