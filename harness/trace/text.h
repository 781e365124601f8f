/* Numbers and texts of a trace, as people read them.
 *
 * Texts of a trace are somebody else's: no byte of them that a terminal obeys is printed as it is. */
#ifndef HM_HARNESS_TRACE_TEXT_H
#define HM_HARNESS_TRACE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    HM_TRACE_SHORT = 32, /* room for what these write */
};

/** 1,234,567 */
const char *hm_trace_count_text(uint64_t value, char out[HM_TRACE_SHORT]);
/** Three digits and a prefix: 17, 1.2K, 34M. @param kilo 1000 or 1024 */
const char *hm_trace_short_text(uint64_t value, unsigned kilo, char out[HM_TRACE_SHORT]);
/** 17 B, 1.2 KiB */
const char *hm_trace_bytes_text(uint64_t bytes, char out[HM_TRACE_SHORT]);
/** 17 ns, 1.2 ms */
const char *hm_trace_time_text(uint64_t ns, char out[HM_TRACE_SHORT]);

/** Print a text; controls and what is not ASCII, but for UTF-8's letters, as \xhh; \ as \\.
 *  @param also more characters that are printed as \xhh  @param most bytes of it, then "..." */
void hm_trace_put_text(FILE *out, const char *text, const char *also, size_t most);

#endif
