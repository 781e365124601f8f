/* A collection does not look at what the third thread holds.
 * caught by: mutators-gil mutators-free */
#define ZOO_ROOTS_FORGOTTEN 1
#include "tests/zoo_gc/base.h"
