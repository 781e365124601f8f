/* It has no aligned_alloc of its own: the C library's block would come to its free.
 * caught by: entry-points */
#define ZOO_PARTIAL 1
#include "tests/zoo/base.h"
