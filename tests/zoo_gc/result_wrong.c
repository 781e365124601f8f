/* No collection finds more than eight objects.
 * caught by: collect-result */
#define ZOO_RESULT_WRONG 1
#include "tests/zoo_gc/base.h"
