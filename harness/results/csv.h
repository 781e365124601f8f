/* CSV as RFC 4180 has it: read row by row with named columns, and written in the C locale.
 *
 * A reader trusts nothing: a row with too many or too few fields, a stray quote or a NUL is
 * malformed. The one exception is a last line without its newline, which a killed writer leaves
 * behind: it is dropped, and `torn` says so. */
#ifndef HM_HARNESS_RESULTS_CSV_H
#define HM_HARNESS_RESULTS_CSV_H

#include "harness/error.h"

#include <stdbool.h>
#include <stdio.h>

struct hm_csv;

/** Open a file and read its header row. Main thread. @return 0, or a positive errno with the line
 * in *error and *out untouched. The caller closes. */
int hm_csv_open(struct hm_csv **out, const char *path, struct hm_error *error);
void hm_csv_close(struct hm_csv *csv);

/** Step to the next row. @return 1 a row, 0 the end, -1 malformed (line in *error). */
int hm_csv_next(struct hm_csv *csv, struct hm_error *error);

/** @return the index of a column, or -1. */
int hm_csv_column(const struct hm_csv *csv, const char *name);

/** A field of the current row, unquoted; valid until the next hm_csv_next(). An index of -1 or past
 *  the row gives "". */
const char *hm_csv_field(const struct hm_csv *csv, int column);

/** The number in a field. @return false for NA, an empty field, and what is not a number. */
bool hm_csv_number(const struct hm_csv *csv, int column, double *out);

/** Line number of the current row, from 1; and whether a torn last line was dropped. */
long hm_csv_line(const struct hm_csv *csv);
bool hm_csv_torn(const struct hm_csv *csv);

/** Writers. Fields are separated by the caller's own commas. Texts are quoted where RFC 4180 asks for
 *  it, and one that begins with = + - @ or a tab, and goes on, is prefixed with ' so that no
 *  spreadsheet runs it; but for `-#`, which begins no formula and is the A/A arm of `-`. */
void hm_csv_put_text(FILE *out, const char *text);
/** %.17g, or NA when not finite. */
void hm_csv_put_number(FILE *out, double value);

#endif
