/* The numbers among the options of `heapmark verify`. */
#include "harness/cli/verify_numbers.h"

#include "harness/plan/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* 100M, or 1e8: what is whole in both. */
static int parse_whole(const char *text, int64_t *out) {
    const double most = 1e15;
    char *end;
    if (!strpbrk(text, "eE"))
        return hm_number_parse(text, 1000, out);
    double number = strtod(text, &end);
    if (strspn(text, "0123456789.eE+") != strlen(text) || *end || number > most ||
        number != floor(number))
        return EINVAL;
    *out = (int64_t)number;
    return 0;
}

int hm_verify_take_number(const char *name, const char *value, int64_t least, uint64_t *out,
                          struct hm_error *error) {
    int64_t number;
    if (parse_whole(value, &number) || number < least)
        return hm_fail(error, EINVAL, "--%s=%s: must be a whole number, at least %" PRId64, name,
                       value, least);
    *out = (uint64_t)number;
    return 0;
}

int hm_verify_take_timeout(const char *value, double *out, struct hm_error *error) {
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !isfinite(seconds) || seconds < 0.1 || seconds > 86400)
        return hm_fail(error, EINVAL, "--timeout=%s: must be seconds, 0.1 to 86400", value);
    *out = seconds;
    return 0;
}
