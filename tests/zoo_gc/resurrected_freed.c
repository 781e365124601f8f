/* What a finalizer brought back is freed.
 * caught by: resurrection random */
#define ZOO_RESURRECTED_FREED 1
#include "tests/zoo_gc/base.h"
