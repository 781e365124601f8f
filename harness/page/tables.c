/* All that was measured, as tables. */
#include "harness/page/judged.h"
#include "harness/page/page.h"
#include "harness/page/put.h"

#include <math.h>
#include <string.h>

static void put_heads(FILE *out, const char *const *heads, size_t count) {
    fputs("<thead><tr>", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "<th scope=\"col\">%s</th>", heads[i]);
    fputs("</tr></thead><tbody>\n", out);
}

static void put_text_cell(FILE *out, const char *text) {
    fputs("<td>", out);
    hm_put_text(out, text);
    fputs("</td>", out);
}

static void put_value_cell(FILE *out, double value, const char *unit) {
    fputs("<td class=\"number\"", out);
    hm_put_order(out, value);
    fputc('>', out);
    hm_put_quantity(out, value, unit);
    fputs("</td>", out);
}

/* Within a unit that suits the median. */
static void put_range_cell(FILE *out, const struct hm_page_row *row) {
    fputs("<td class=\"number\">", out);
    if (isfinite(row->low)) {
        hm_put_quantity(out, row->low, row->unit);
        fputs(" to ", out);
        hm_put_quantity(out, row->high, row->unit);
    }
    fputs("</td>", out);
}

static void put_ratio_cell(FILE *out, const struct hm_page_row *row) {
    fputs("<td class=\"number\"", out);
    hm_put_order(out, row->ratio);
    fputc('>', out);
    if (row->is_baseline)
        fputs("1", out);
    else
        hm_put_interval(out, row->ratio, row->ratio_low, row->ratio_high);
    fputs("</td>", out);
}

static void put_row(FILE *out, const struct hm_page_run *run, const struct hm_page_row *row) {
    bool bare = strcmp(row->unit, "bytes") == 0 || strcmp(row->unit, "ns") == 0;
    fputs("<tr id=\"", out);
    hm_page_put_anchor(out, run, row);
    fputs("\">", out);
    put_text_cell(out, run->groups[row->group]);
    put_text_cell(out, run->arms[row->arm]);
    fputs("<td><a href=\"#", out);
    hm_page_put_anchor(out, run, row);
    fputs("\">", out);
    hm_put_text(out, row->metric_name);
    fputs("</a></td>", out);
    put_value_cell(out, row->median, row->unit);
    put_range_cell(out, row);
    put_text_cell(out, bare ? "" : row->unit);
    put_text_cell(out, row->metric ? hm_better_name(row->metric->better) : "");
    put_value_cell(out, row->n, "");
    put_ratio_cell(out, row);
    int verdict = hm_page_verdict_of(row);
    fprintf(out, "<td class=\"%s\">%s</td></tr>\n", verdict < 0 ? "" : hm_page_verdicts[verdict],
            row->is_baseline ? "baseline" : hm_page_verdict_word(row));
}

static void put_metrics(FILE *out, const struct hm_page_run *run) {
    const char *last = "";
    fputs("<details><summary>What the metrics are</summary><dl>\n", out);
    for (size_t i = 0; i < run->row_count; i++) {
        const struct hm_page_row *row = &run->rows[i];
        if (!row->metric || strcmp(row->metric_name, last) == 0)
            continue;
        last = row->metric_name;
        fputs("<dt>", out);
        hm_put_text(out, last);
        fputs("</dt><dd>", out);
        hm_put_text(out, row->metric->summary);
        fputs("</dd>\n", out);
    }
    fputs("</dl></details>\n", out);
}

void hm_page_put_tables(FILE *out, const struct hm_page_run *run) {
    static const char *const heads[] = {"workload",  "arm",      "metric",
                                        "median",    "interval", "unit",
                                        "better is", "rounds",   "ratio to the baseline",
                                        "verdict"};
    fputs("<section id=\"metrics\"><h2>All metrics</h2>\n"
          "<p class=\"filter\" hidden><label>Show rows with all of these words: "
          "<input type=\"search\" data-filter=\"all\" placeholder=\"churn pool time_ns\"></label> "
          "<output data-found=\"all\"></output></p>\n",
          out);
    fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"All metrics\">"
          "<table class=\"sortable\" id=\"all\"><caption class=\"unseen\">All metrics of all "
          "cells</caption>",
          out);
    put_heads(out, heads, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < run->row_count; i++)
        put_row(out, run, &run->rows[i]);
    fputs("</tbody></table></div>\n", out);
    put_metrics(out, run);
    fputs("</section>\n", out);
}
