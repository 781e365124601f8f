/* Nothing is wrong with it. */
#include "tests/zoo_gc/base.h"
