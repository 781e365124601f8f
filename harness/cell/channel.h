/* How a measured process reports: lines of text on a descriptor that its parent reads.
 *
 *   pin THREAD REQUESTED ACTUAL     proof PATH           value METRIC THREAD NUMBER
 *   point METRIC THREAD T_NS NUMBER checksum HEX         ops COUNT
 *   bucket METRIC BUCKET COUNT      fail STATUS REASON...
 *   unknown METRIC [REASON...]      slice COUNT (so many are done, and it waits for its turn)
 *   image BUILD-ID PATH (BUILD-ID - for none)
 *   map T_NS OFFSET SIZE USED FREE
 *   end NONCE
 *
 * The writers use a buffer of their own and write(2): the C library's streams would take memory
 * from the heap that is measured. */
#ifndef HM_HARNESS_CELL_CHANNEL_H
#define HM_HARNESS_CELL_CHANNEL_H

#include <stdint.h>

/** Write one line. Main thread of the child. A closed pipe is ignored: the parent sees the end. */
__attribute__((format(printf, 1, 2))) void hm_tell(const char *format, ...);

/** Write what is still buffered. */
void hm_tell_flush(void);

/** Report a failure and end the process: never returns. @param status "oom", "invalid", ... */
__attribute__((format(printf, 2, 3), noreturn)) void hm_tell_failure(const char *status,
                                                                     const char *format, ...);

#endif
