/* Close runs finalizers.
 * caught by: close-in-use */
#define ZOO_CLOSE_FINALIZES 1
#include "tests/zoo_gc/base.h"
