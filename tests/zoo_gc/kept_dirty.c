/* A kept object that is handed out again has the payload that it died with.
 * caught by: kept-types */
#define ZOO_KEPT_DIRTY 1
#include "tests/zoo_gc/base.h"
