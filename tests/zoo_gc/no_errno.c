/* A failed allocation does not set errno to ENOMEM.
 * caught by: out-of-memory */
#define ZOO_NO_ERRNO 1
#include "tests/zoo_gc/base.h"
