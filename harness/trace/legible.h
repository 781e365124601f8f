/* Numbers and foreign texts as people read them. */
#ifndef HM_HARNESS_TRACE_LEGIBLE_H
#define HM_HARNESS_TRACE_LEGIBLE_H

#include <stddef.h>
#include <stdio.h>

enum {
    HM_SHORT_BYTES = 32,
};

/** Three digits and a prefix: "12.3M"; small whole numbers as they are.
 *  @param kilo 1000 or 1024  @return out */
const char *hm_short_text(char out[HM_SHORT_BYTES], double value, unsigned kilo);

/** "12.3 MiB", "12 bytes". @return out */
const char *hm_bytes_text(char out[HM_SHORT_BYTES], double bytes);

/** A text that anybody may have written, on one line and without what a terminal would obey. */
void hm_put_plain(FILE *out, const char *text);

/** The first bytes of a text, for an XML file: escaped, and what is no UTF-8 as question marks. */
void hm_put_xml(FILE *out, const char *text, size_t length);

#endif
