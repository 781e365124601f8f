/* What a record says besides the call: when it was, and from where. */
#include "preload/record.h"

#include <time.h>

static bool has_times;

void hm_record_want_extra(bool times, unsigned frames) {
    has_times = times;
    hm_record_extra = times || frames ? HM_SPOOL_EXTRA : 0;
}

void hm_record_put_extra(uint64_t words[2]) {
    struct timespec now = {0, 0};
    if (has_times)
        clock_gettime(CLOCK_MONOTONIC, &now);
    words[0] = 0;
    words[1] = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
