/* Lines of a text that nobody vouches for: of bounded length, without zero bytes. */
#ifndef HM_HARNESS_TRACE_LINES_H
#define HM_HARNESS_TRACE_LINES_H

#include "harness/error.h"

#include <stdint.h>

enum {
    HM_LINE_MAX = 512 << 10,
};

struct hm_lines;

/** @param path "-" is stdin  @return 0, or an errno with a line */
int hm_lines_open(const char *path, struct hm_lines **out, struct hm_error *error);
/** The next line, without its end; it is the caller's to change, until the next call. A last line may
 *  lack its end. @return 1; 0: no more; -1: malformed or not readable, with a line that has its number */
int hm_lines_next(struct hm_lines *lines, char **line, struct hm_error *error);
/** Of the line before, from 1. */
uint64_t hm_lines_number(const struct hm_lines *lines);
void hm_lines_close(struct hm_lines *lines);

#endif
