/* Numbers and texts of a trace, as people read them. */
#include "harness/trace/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *hm_trace_count_text(uint64_t value, char out[HM_TRACE_SHORT]) {
    char digits[HM_TRACE_SHORT];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *at = out;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}

/* Three digits of a number below 1000, and what stands behind them. */
static const char *put_digits(double rest, const char *behind, char out[HM_TRACE_SHORT]) {
    int decimals = rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
    snprintf(out, HM_TRACE_SHORT, "%.*f%s", decimals, rest, behind);
    return out;
}

const char *hm_trace_short_text(uint64_t value, unsigned kilo, char out[HM_TRACE_SHORT]) {
    static const char *const prefixes[] = {"", "K", "M", "G", "T", "P", "E"};
    double rest = (double)value;
    size_t prefix = 0;
    for (; rest >= 999.5 && prefix < 6; prefix++)
        rest /= kilo;
    if (prefix && rest != floor(rest))
        return put_digits(rest, prefixes[prefix], out);
    snprintf(out, HM_TRACE_SHORT, "%.0f%s", rest, prefixes[prefix]);
    return out;
}

const char *hm_trace_bytes_text(uint64_t bytes, char out[HM_TRACE_SHORT]) {
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    double rest = (double)bytes;
    size_t unit = 0;
    for (; rest >= 999.5 && unit < 6; unit++)
        rest /= 1024;
    if (unit)
        return put_digits(rest, units[unit], out);
    snprintf(out, HM_TRACE_SHORT, "%" PRIu64 " B", bytes);
    return out;
}

const char *hm_trace_time_text(uint64_t ns, char out[HM_TRACE_SHORT]) {
    static const char *const units[] = {" ns", " us", " ms", " s"};
    double rest = (double)ns;
    size_t unit = 0;
    for (; rest >= 999.5 && unit < 3; unit++)
        rest /= 1000;
    if (unit && rest < 999.5)
        return put_digits(rest, units[unit], out);
    snprintf(out, HM_TRACE_SHORT, "%.0f%s", rest, units[unit]);
    return out;
}

/* How many bytes the letter of UTF-8 has that begins here; 0: none does, or it is a control. */
static size_t letter_bytes(const unsigned char *at) {
    size_t more = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : 1;
    if (at[0] >= 0x20 && at[0] < 0x7f)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4 || (at[0] == 0xc2 && at[1] < 0xa0))
        return 0;
    for (size_t i = 1; i <= more; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* marks that turn the direction of writing */
    if (at[0] == 0xe2 && ((at[1] == 0x80 && at[2] >= 0x8b) || (at[1] == 0x81 && at[2] >= 0xa0)))
        return 0;
    return more + 1;
}

void hm_trace_put_text(FILE *out, const char *text, const char *also, size_t most) {
    const char *end = text + strnlen(text, most);
    const char *at = text;
    while (at < end) {
        size_t length = letter_bytes((const unsigned char *)at);
        if (*at == '\\')
            fputs("\\\\", out);
        else if (length == 0 || strchr(also, *at))
            fprintf(out, "\\x%02x", (unsigned char)*at);
        else
            fwrite(at, 1, length, out);
        at += length ? length : 1;
    }
    if (*at)
        fputs("...", out);
}
