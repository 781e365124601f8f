/* What a finalizer brought back is counted as collected.
 * caught by: collect-result */
#define ZOO_RESURRECTED_COUNTED 1
#include "tests/zoo_gc/base.h"
