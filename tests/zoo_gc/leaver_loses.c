/* What a thread has made loses its references when it leaves.
 * caught by: mutators-gil mutators-free */
#define ZOO_LEAVER_LOSES 1
#include "tests/zoo_gc/base.h"
