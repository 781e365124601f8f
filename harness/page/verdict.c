/* How the comparisons ended. */
#include "harness/page/grid.h"
#include "harness/page/judged.h"
#include "harness/page/page.h"
#include "harness/page/put.h"

#include <math.h>

void hm_page_put_anchor(FILE *out, const struct hm_page_run *run, const struct hm_page_row *row) {
    fprintf(out, "row-%zu", (size_t)(row - run->rows));
}

static void put_counts(FILE *out, const char *metric, const size_t counts[HM_PAGE_VERDICTS],
                       size_t all) {
    fprintf(out, "<p class=\"counts\">%zu comparison%s in ", all, all == 1 ? "" : "s");
    hm_put_text(out, metric);
    fputc(':', out);
    for (int i = 0; i < HM_PAGE_VERDICTS; i++)
        fprintf(out, "%s <span class=\"%s\">%s %zu %s</span>", i ? "," : "", hm_page_verdicts[i],
                hm_page_marks[i], counts[i], hm_page_word(metric, i));
    fputs(".</p>\n", out);
}

static void put_matrix_cell(FILE *out, const struct hm_page_run *run,
                            const struct hm_page_row *row) {
    if (!row) {
        fputs("<td class=\"none\">\xE2\x80\x93</td>", out);
        return;
    }
    int verdict = hm_page_verdict_of(row);
    fprintf(out, "<td class=\"%s\"",
            row->is_baseline ? "baseline"
            : verdict < 0    ? ""
                             : hm_page_verdicts[verdict]);
    hm_put_order(out, row->ratio);
    fputs("><a href=\"#", out);
    hm_page_put_anchor(out, run, row);
    fputs("\">", out);
    if (row->is_baseline)
        fputs("1", out);
    else
        hm_put_interval(out, row->ratio, NAN, NAN);
    if (verdict >= 0)
        fprintf(out, " <span class=\"mark\">%s<span class=\"unseen\"> %s</span></span>",
                hm_page_marks[verdict], hm_page_verdict_word(row));
    fputs("</a>", out);
    if (!row->is_baseline && isfinite(row->ratio_low))
        fprintf(out, "<small>%.3g to %.3g</small>", row->ratio_low, row->ratio_high);
    fputs("</td>", out);
}

static void put_matrix_row(FILE *out, const struct hm_page_grid *grid, size_t matrix, size_t arm) {
    fputs("<tr><th scope=\"row\">", out);
    hm_put_text(out, grid->run->arms[arm]);
    fputs("</th>", out);
    for (size_t g = matrix; g < grid->run->group_count; g++)
        if (grid->matrix[g] == matrix)
            put_matrix_cell(out, grid->run, hm_page_grid_at(grid, g, arm));
    fputs("</tr>\n", out);
}

static void put_matrix(FILE *out, const struct hm_page_grid *grid, size_t matrix,
                       const char *caption) {
    const struct hm_page_run *run = grid->run;
    fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"", out);
    hm_put_text(out, caption);
    fputs("\"><table class=\"matrix sortable\"><caption>", out);
    hm_put_text(out, caption);
    fputs("</caption><thead><tr><th scope=\"col\">arm</th>", out);
    for (size_t g = matrix; g < run->group_count; g++) {
        if (grid->matrix[g] != matrix)
            continue;
        fputs("<th scope=\"col\">", out);
        hm_put_text(out, run->groups[g]);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (size_t arm = 0; arm < run->arm_count; arm++)
        if (hm_page_grid_has_arm(grid, matrix, arm))
            put_matrix_row(out, grid, matrix, arm);
    fputs("</tbody></table></div>\n", out);
}

static int put_matrices(FILE *out, const struct hm_page_run *run, const char *metric,
                        const char *caption) {
    struct hm_page_grid grid;
    int bad = hm_page_grid_make(&grid, run, metric);
    for (size_t g = 0; !bad && g < run->group_count; g++)
        if (grid.matrix[g] == g)
            put_matrix(out, &grid, g, caption);
    hm_page_grid_free(&grid);
    return bad;
}

int hm_page_put_verdict(FILE *out, const struct hm_page_run *run) {
    int bad = 0;
    struct hm_page_comparison compared[HM_PAGE_COMPARISONS];
    size_t count = hm_page_comparisons(run, compared);
    double noise = hm_page_noise(run);
    fputs("<section id=\"verdict\"><h2>Verdict</h2>\n", out);
    if (!count)
        fputs("<p>Nothing was compared in this run.</p>\n", out);
    if (isfinite(noise)) {
        fprintf(out, "<p>Identical arms (A/A) differed by up to %.1f\xE2\x80\xAF%% in ",
                100 * noise);
        hm_put_text(out, run->lead);
        fputs(": on each workload, a difference has to exceed what they differed by there.</p>\n",
              out);
    }
    for (size_t i = 0; !bad && i < count; i++) {
        size_t counts[HM_PAGE_VERDICTS];
        size_t all = hm_page_count(run, compared[i].metric, counts);
        put_counts(out, compared[i].metric, counts, all);
        bad = put_matrices(out, run, compared[i].metric, compared[i].caption);
    }
    fputs("<p class=\"note\">Ratios are medians over the rounds, paired by round, with their "
          "interval below them; "
          "columns are compared within themselves. A/A and floor rows are controls: they are in no "
          "count. The verdicts on other metrics are in the table of all.</p>\n"
          "</section>\n",
          out);
    return bad;
}
