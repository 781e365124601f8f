/* What a verifying process tells its parent: one shared page, readable whatever becomes of the
 * process. It is no pipe, because a broken heap must not lose what was said just before the end. */
#ifndef HM_HARNESS_VERIFY_BOARD_H
#define HM_HARNESS_VERIFY_BOARD_H

#include "allocators/allocator.h"

#include <stdint.h>

enum hm_conform {
    HM_CONFORM_NONE, /* nothing was said */
    HM_CONFORM_PASSED,
    HM_CONFORM_DEVIATES,    /* it fails as its library is known to, and in nothing else */
    HM_CONFORM_UNSUPPORTED, /* the allocator does not offer it: neither passed nor failed */
    /* What became of a misuse, from the best to the worst. */
    HM_CONFORM_ABORTED,     /* the process was stopped at the misuse itself */
    HM_CONFORM_NEUTRALISED, /* it went on, and its heap was sound */
    HM_CONFORM_LATE,        /* stopped, but only later */
    HM_CONFORM_MISSED,      /* it went on with a damaged heap */
    HM_CONFORM_COULD_NOT_RUN,
    HM_CONFORM_FAILED,
};

enum {
    HM_BOARD_FD = 3, /* the process finds its board here */
};

struct hm_board {
    uint64_t ops; /* progress; a process that does not raise it for too long is ended. Atomic. */
    int verdict;  /* enum hm_conform; who sets it first has the word. Atomic. */
    int ended;    /* the process came to the end of the property. Atomic. */
    int phase;    /* of a misuse */
    uint64_t refused;  /* of the operations, for want of room */
    uint64_t steps;    /* operations of a shrunk script that were played. Atomic. */
    double seconds;    /* that the counted operations took; 0 when they were not timed */
    char at[160];      /* what is being tried, for the line of a crash */
    char line[1200];   /* what broke, or a note */
    uint32_t deviated; /* bit i: entry i of hm_allocator.deviations was seen. Atomic. */
    char version[HM_VERSION_BYTES]; /* of the library, when one was seen */
    char script[8192];              /* the operations of a shrunk sequence, one a line */
    unsigned script_ops;
};

/** The word of a verdict. Static storage. */
const char *hm_conform_word(enum hm_conform verdict);

#endif
