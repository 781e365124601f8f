/* The numbers among the options of `heapmark verify`. */
#ifndef HM_HARNESS_CLI_VERIFY_NUMBERS_H
#define HM_HARNESS_CLI_VERIFY_NUMBERS_H

#include "harness/error.h"

#include <stdint.h>

/** A whole number, as 100M or 1e8. @return 0, or EINVAL with a line that names the option */
int hm_verify_take_number(const char *name, const char *value, int64_t least, uint64_t *out,
                          struct hm_error *error);
/** Seconds, 0.1 to 86400. @return as above */
int hm_verify_take_timeout(const char *value, double *out, struct hm_error *error);

#endif
