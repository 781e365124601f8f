/* Pieces of HTML. */
#include "harness/page/put.h"

#include "harness/trace/xml.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void hm_put_text(FILE *out, const char *text) {
    hm_xml_put(out, text, strlen(text));
}

void hm_put_number(FILE *out, double value) {
    if (!isfinite(value)) {
        fputs("NA", out);
        return;
    }
    if (value < 0)
        fputs("\xE2\x88\x92", out);
    value = fabs(value);
    fprintf(out, value >= 1000 && value < 1e12 ? "%.0f" : "%.4g", value);
}

static void put_scaled(FILE *out, double value, double step, const char *const *units,
                       size_t count) {
    size_t unit = 0;
    for (; fabs(value) >= step && unit + 1 < count; unit++)
        value /= step;
    fprintf(out, fabs(value) < 999.5 ? "%.3g %s" : "%.0f %s", value, units[unit]);
}

void hm_put_quantity(FILE *out, double value, const char *unit) {
    static const char *const bytes[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    static const char *const times[] = {"ns", "\xC2\xB5s", "ms", "s"};
    if (!isfinite(value))
        fputs("NA", out);
    else if (strcmp(unit, "bytes") == 0)
        put_scaled(out, value, 1024, bytes, sizeof bytes / sizeof *bytes);
    else if (strcmp(unit, "ns") == 0)
        put_scaled(out, value, 1000, times, sizeof times / sizeof *times);
    else
        hm_put_number(out, value);
}

void hm_put_interval(FILE *out, double value, double low, double high) {
    if (!isfinite(value)) {
        fputs("NA", out);
        return;
    }
    fprintf(out, "%.3g", value);
    if (isfinite(low) && isfinite(high))
        fprintf(out, " [%.3g, %.3g]", low, high);
}

void hm_put_order(FILE *out, double value) {
    if (isfinite(value))
        fprintf(out, " data-order=\"%.17g\"", value);
}

/* Three bytes become four letters; what is missing of the last three, `=`. */
static void put_triple(FILE *out, const unsigned char *bytes, size_t count) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
    for (size_t i = 0; i < 4; i++)
        fputc(i <= count ? letters[bits >> (18 - 6 * i) & 63] : '=', out);
}

/* @param base64 or as they are */
static int put_bytes(FILE *out, const char *path, bool base64, struct hm_error *error) {
    FILE *in = fopen(path, "rb");
    if (!in)
        return hm_fail(error, errno, "%s: %s", path, strerror(errno));
    unsigned char bytes[3 << 12] = {0};
    size_t count;
    while ((count = fread(bytes, 1, sizeof bytes, in)) > 0) {
        memset(bytes + count, 0, sizeof bytes - count);
        for (size_t i = 0; base64 && i < count; i += 3)
            put_triple(out, bytes + i, count - i < 3 ? count - i : 3);
        if (!base64)
            fwrite(bytes, 1, count, out);
    }
    int bad = ferror(in) ? hm_fail(error, EIO, "%s can not be read", path) : 0;
    fclose(in);
    return bad;
}

int hm_put_base64_file(FILE *out, const char *path, struct hm_error *error) {
    return put_bytes(out, path, true, error);
}

int hm_put_file(FILE *out, const char *path, struct hm_error *error) {
    return put_bytes(out, path, false, error);
}
