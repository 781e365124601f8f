/* The text of a trace: what `heapmark trace dump` prints, and `import --from text` reads.
 *
 *   heapmark-trace 1                 the first line
 *   program TEXT                     facts: also command, recorder, machine
 *   pid N                            also started, page, times (0 or 1), stacks (0 or 1)
 *   module N BUILD-ID PATH           numbers from 0; a build id of - is none
 *   stack N MODULE+OFFSET ..         numbers from 1, offsets hexadecimal; a module of - is none
 *   THREAD CALL ..                   an event, see below
 *   dropped N
 *   end exit STATUS                  or: end signal N, end exec 0, end unknown 0
 *
 * Events, with @TIME and #STACK behind them where the trace has them:
 *   0 malloc SIZE = BLOCK            or `= failed`; so all allocations
 *   0 calloc COUNT SIZE = BLOCK
 *   0 aligned_alloc ALIGNMENT SIZE = BLOCK   and the others that align; an alignment of 0 is none
 *   0 realloc BLOCK SIZE             `= failed` behind it where it did; BLOCK may be `foreign`
 *   0 reallocarray BLOCK COUNT SIZE
 *   0 free BLOCK                     BLOCK may be `NULL` or `foreign`; so usable
 *   0 thread-begin                   and thread-end
 *
 * Empty lines, and those that begin with #, say nothing. In texts, \xhh is a byte, and \\ is \. */
#ifndef HM_HARNESS_TRACE_DUMP_H
#define HM_HARNESS_TRACE_DUMP_H

#include "harness/error.h"
#include "traces/trace.h"

#define HM_DUMP_FIRST_LINE "heapmark-trace 1"

/** Print all of a trace. @return 0, or an errno with a line */
int hm_dump_put(FILE *out, struct hm_trace_reader *reader, struct hm_error *error);

#endif
