/* An object that refers to itself is never freed.
 * caught by: cycles random */
#define ZOO_SELF_LEAKS 1
#include "tests/zoo_gc/base.h"
