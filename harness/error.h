/* An error as its user will read it: one line that says what and where. */
#ifndef HM_HARNESS_ERROR_H
#define HM_HARNESS_ERROR_H

#include <stdarg.h>
#include <stdio.h>

struct hm_error {
    char line[512]; /* no newline; "" when nothing failed */
};

__attribute__((format(printf, 2, 3))) static inline void hm_error_set(struct hm_error *error,
                                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->line, sizeof error->line, format, args);
    va_end(args);
}

static inline int hm_error_code(int code) {
    return code;
}

/** Fill in the line and pass the code on: `return hm_fail(error, EINVAL, "...", ...)`. A macro, so
 *  that static analysis sees which code it is. */
#define hm_fail(error, code, ...) (hm_error_set(error, __VA_ARGS__), hm_error_code(code))

#endif
