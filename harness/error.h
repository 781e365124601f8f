/* An error as its user will read it: one line that says what and where. */
#ifndef HM_HARNESS_ERROR_H
#define HM_HARNESS_ERROR_H

#include <stdarg.h>
#include <stdio.h>

struct hm_error {
    char line[512]; /* no newline; "" when nothing failed */
};

/** Fill in the line and pass the code on: `return hm_fail(error, EINVAL, "...", ...)`. */
__attribute__((format(printf, 3, 4))) static inline int hm_fail(struct hm_error *error, int code,
                                                                const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->line, sizeof error->line, format, args);
    va_end(args);
    return code;
}

#endif
