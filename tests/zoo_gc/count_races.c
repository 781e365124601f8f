/* Two threads that retain an object at the same time may count once: it is freed while one holds it.
 * caught by: mutators-free */
#define ZOO_COUNT_RACES 1
#include "tests/zoo_gc/base.h"
