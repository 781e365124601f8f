/* Fuzz target: heapmark trace import --from ltrace. */
#define SOURCE "ltrace"
#include "tests/fuzz/import_target.h"
