/* Pieces of HTML. */
#ifndef HM_HARNESS_PAGE_PUT_H
#define HM_HARNESS_PAGE_PUT_H

#include "harness/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** A text, escaped; what is no UTF-8, and controls, as question marks. */
void hm_put_text(FILE *out, const char *text);
/** Four digits that count, with the minus of typography; "NA" when not finite. */
void hm_put_number(FILE *out, double value);
/** Bytes, nanoseconds, or a plain number, with the unit that reads best. */
void hm_put_quantity(FILE *out, double value, const char *unit);
/** "1.25 [1.1, 1.4]"; without an interval the first alone. */
void hm_put_interval(FILE *out, double value, double low, double high);
/** An attribute by which a table sorts: of a number. */
void hm_put_order(FILE *out, double value);

/** The file's bytes in base64, as the end of a data: URL. @return 0, or an errno with a line */
int hm_put_base64_file(FILE *out, const char *path, struct hm_error *error);
/** The file's bytes as they are. @return as above */
int hm_put_file(FILE *out, const char *path, struct hm_error *error);

#endif
