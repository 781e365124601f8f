/* Disabled, it collects by itself.
 * caught by: control-automatic */
#define ZOO_NEVER_OFF 1
#include "tests/zoo_gc/base.h"
