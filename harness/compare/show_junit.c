/* A comparison as JUnit's XML: one test case for each cell and metric, and for each cell that broke.
 *
 * A regression is a failure, a cell that failed in NEW an error, what is inconclusive skipped. */
#include "harness/compare/show.h"

#include <string.h>

/* XML 1.0 knows no control characters, not even as references. */
static void put_text(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else
            fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
    }
}

static void put_case(FILE *out, const char *metric, const char *cell) {
    fputs("  <testcase classname=\"heapmark.", out);
    put_text(out, metric);
    fputs("\" name=\"", out);
    put_text(out, cell);
    fputs("\">", out);
}

static void put_result(FILE *out, const struct hm_compared *c, const struct hm_unpaired *j) {
    char ratio[64];
    char verdict[32];
    const char *element = j->verdict == HM_SLOWER         ? "failure"
                          : j->verdict == HM_INCONCLUSIVE ? "skipped"
                                                          : "system-out";
    hm_compare_ratio_text(j->ratio, j->low, j->high, ratio, sizeof ratio);
    hm_compare_verdict_text(j, verdict, sizeof verdict);
    put_case(out, c->metric->name, c->base->id);
    if (strcmp(element, "system-out") == 0)
        fprintf(out, "<system-out>%s, NEW / BASE %s</system-out>", verdict, ratio);
    else
        fprintf(out, "<%s message=\"%s, NEW / BASE %s\"/>", element, verdict, ratio);
    fputs("</testcase>\n", out);
}

static size_t broken(struct hm_compare *all) {
    size_t count = 0;
    for (size_t i = 0; i < all->fresh.count; i++)
        count += hm_compare_broke(all, &all->fresh.cells[i]);
    return count;
}

static void put_broken(FILE *out, struct hm_compare *all) {
    for (size_t i = 0; i < all->fresh.count; i++) {
        const struct hm_side_cell *cell = &all->fresh.cells[i];
        if (!hm_compare_broke(all, cell))
            continue;
        put_case(out, "cell", cell->id);
        fputs("<error message=\"", out);
        put_text(out, cell->failure);
        fputs("\"/></testcase>\n", out);
    }
}

void hm_compare_show_junit(FILE *out, const struct hm_compare_report *report) {
    struct hm_compare *all = report->all;
    size_t errors = broken(all);
    struct hm_lines preface = {0};
    hm_compare_preface(report, &preface);
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"heapmark compare\" "
            "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
            all->count + errors, hm_compare_count(all, HM_SLOWER), errors,
            hm_compare_count(all, HM_INCONCLUSIVE));
    for (size_t i = 0; i < all->count; i++)
        put_result(out, &all->cells[i], &all->judged[i]);
    put_broken(out, all);
    fputs("  <system-out>", out);
    for (size_t i = 0; i < preface.count; i++) {
        put_text(out, preface.at[i]);
        fputc('\n', out);
    }
    fputs("</system-out>\n</testsuite>\n", out);
    hm_lines_free(&preface);
}
