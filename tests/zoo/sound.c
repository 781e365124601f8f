/* The base as it is: the zoo's only animal with no fault.
 * caught by: nothing */
#include "tests/zoo/base.h"
