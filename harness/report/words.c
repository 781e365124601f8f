/* Names for people. */
#include "harness/report/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *field(const struct hm_csv *csv, const char *name) {
    return hm_csv_field(csv, hm_csv_column(csv, name));
}

/* "system#2" is the A/A arm. */
void hm_words_arm(const char *allocator, const char *collector, char *out, size_t size) {
    const char *mark = strstr(allocator, "#2");
    int length = mark ? (int)(mark - allocator) : (int)strlen(allocator);
    const char *again = mark ? "A/A: " : "";
    if (length == 1 && *allocator == '-') {
        snprintf(out, size, "%s(no heap)", again);
        return;
    }
    if (strcmp(collector, "-") == 0)
        snprintf(out, size, "%s%.*s", again, length, allocator);
    else
        snprintf(out, size, "%s%s on %.*s", again, collector, length, allocator);
}

const char *hm_words_cut(const char *label, int width, char *out) {
    int length = (int)strlen(label);
    int head = (width - 2 + 1) / 2;
    int tail = width - 2 - head;
    if (length <= width)
        sprintf(out, "%s", label);
    else
        sprintf(out, "%.*s..%s", head, label, label + length - tail);
    return out;
}

void hm_words_put_label(FILE *out, const char *label, int margin, int width) {
    char cut[HM_WORDS_PAGE + 1];
    if ((int)strlen(label) < width)
        fprintf(out, "%*s%-*s", margin, "", width, label);
    else
        fprintf(out, "%*s%s\n%*s", margin, "", hm_words_cut(label, HM_WORDS_PAGE - margin, cut),
                margin + width, "");
}

const char *hm_words_ratio(double ratio, double low, double high, int width, char *out,
                           size_t size) {
    for (int digits = 4; digits > 1; digits--) {
        int length = !isfinite(ratio) ? snprintf(out, size, "NA")
                     : isfinite(low)  ? snprintf(out, size, "%.*g [%.*g, %.*g]", digits, ratio,
                                                 digits, low, digits, high)
                                      : snprintf(out, size, "%.*g [NA]", digits, ratio);
        if (length <= width)
            break;
    }
    return out;
}

const char *hm_words_verdict(const struct hm_metric *metric, const char *verdict) {
    bool bytes = strcmp(metric->unit, "bytes") == 0;
    if (!bytes && !hm_metric_is_counted(metric))
        return verdict;
    if (strcmp(verdict, "faster") == 0)
        return bytes ? "smaller" : "fewer";
    return strcmp(verdict, "slower") == 0 ? bytes ? "larger" : "more" : verdict;
}

void hm_words_put_duration(FILE *out, double ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;
    for (; ns >= 999.5 && unit < 3; unit++)
        ns /= 1000;
    if (isfinite(ns))
        fprintf(out, "%*.3g %s", (int)(8 - strlen(units[unit])), ns, units[unit]);
    else
        fprintf(out, "%9s", "NA");
}

bool hm_words_is_program(const struct hm_csv *csv) {
    return strcmp(field(csv, "workload"), "exec") == 0;
}

void hm_words_group(const struct hm_csv *csv, char *out, size_t size) {
    const char *threads = field(csv, "threads");
    if (hm_words_is_program(csv)) { /* the id begins with its name */
        const char *cell = field(csv, "cell");
        snprintf(out, size, "%.*s", (int)strcspn(cell, "/"), cell);
        return;
    }
    snprintf(out, size, "%s, %s thread%s", field(csv, "workload"), threads,
             strcmp(threads, "1") == 0 ? "" : "s");
}
