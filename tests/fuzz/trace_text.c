/* Fuzz target: heapmark trace import --from text. */
#define SOURCE "text"
#include "tests/fuzz/import_target.h"
