/* free changes errno.
 * caught by: free-null-errno */
#define ZOO_FREE loud_free
#include "tests/zoo/base.h"

static void loud_free(void *p) {
    base_free(p);
    errno = EINVAL;
}
