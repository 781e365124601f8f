/* Where a checking process has crashed: noted by itself, on its board, as it dies. */
#ifndef HM_HARNESS_VERIFY_GC_CRASH_H
#define HM_HARNESS_VERIFY_GC_CRASH_H

#include "harness/verify_gc/check.h"

/** From now on a SIGSEGV or SIGBUS of this process writes to `board->crash` in which function of which
 *  shared library it came, at which address if that is near NULL, and whether a finalizer had asked for a
 *  collection; then the process dies of it, as it would have. Only what a library exports has a name, and
 *  of the program itself nothing is written. The calling thread, too, if it has run out of its stack. */
void hm_crash_watch(struct hm_check_board *board);

#endif
