/* Fuzz target: heapmark trace import --from mtrace. */
#define SOURCE "mtrace"
#include "tests/fuzz/import_target.h"
