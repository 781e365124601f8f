/* report.md: the verdict of a run for a pull request. */
#include "harness/page/grid.h"
#include "harness/page/judged.h"
#include "harness/page/page.h"

#include <math.h>
#include <string.h>

enum {
    COMMENT_BYTES = 60000, /* GitHub takes 65,536 characters in a comment */
};

/* What would end a table's cell or begin markup is written as the character's number. */
static void put_text(FILE *out, const char *text) {
    for (; *text; text++)
        if (strchr("|<>&*_`[]\\#~", *text) || (unsigned char)*text < ' ')
            fprintf(out, "&#%d;", (unsigned char)*text);
        else
            fputc(*text, out);
}

static void put_cell(FILE *out, const struct hm_page_row *row) {
    int verdict = row ? hm_page_verdict_of(row) : -1;
    const char *mark = verdict < 0 ? "" : hm_page_marks[verdict];
    if (!row)
        fputs(" \xE2\x80\x93 |", out);
    else if (row->is_baseline)
        fputs(" 1 |", out);
    else if (!isfinite(row->ratio))
        fputs(" NA |", out);
    else if (isfinite(row->ratio_low))
        fprintf(out, " %s%s%.3g (%.3g to %.3g) |", mark, *mark ? " " : "", row->ratio,
                row->ratio_low, row->ratio_high);
    else
        fprintf(out, " %s%s%.3g |", mark, *mark ? " " : "", row->ratio);
}

static void put_matrix(FILE *out, const struct hm_page_grid *grid, size_t matrix) {
    const struct hm_page_run *run = grid->run;
    fputs("\n| |", out);
    for (size_t g = matrix; g < run->group_count; g++) {
        if (grid->matrix[g] != matrix)
            continue;
        fputc(' ', out);
        put_text(out, run->groups[g]);
        fputs(" |", out);
    }
    fputs("\n|---|", out);
    for (size_t g = matrix; g < run->group_count; g++)
        fputs(grid->matrix[g] == matrix ? "---|" : "", out);
    fputc('\n', out);
    for (size_t arm = 0; arm < run->arm_count; arm++) {
        if (!hm_page_grid_has_arm(grid, matrix, arm))
            continue;
        fputs("| ", out);
        put_text(out, run->arms[arm]);
        fputs(" |", out);
        for (size_t g = matrix; g < run->group_count; g++)
            if (grid->matrix[g] == matrix)
                put_cell(out, hm_page_grid_at(grid, g, arm));
        fputc('\n', out);
    }
}

static int put_matrices(FILE *out, const struct hm_page_run *run, const char *metric) {
    struct hm_page_grid grid;
    int bad = hm_page_grid_make(&grid, run, metric);
    for (size_t g = 0; !bad && g < run->group_count; g++)
        if (grid.matrix[g] == g && ftell(out) < COMMENT_BYTES)
            put_matrix(out, &grid, g);
    hm_page_grid_free(&grid);
    return bad;
}

static void put_failures(FILE *out, const struct hm_page_run *run) {
    if (!run->failure_count)
        return;
    fprintf(out, "\n<details><summary>%zu not measured</summary>\n\n", run->failure_count);
    for (size_t i = 0; i < run->failure_count && ftell(out) < COMMENT_BYTES; i++) {
        fputs("- ", out);
        put_text(out, run->failures[i].cell);
        fputs(": ", out);
        put_text(out, run->failures[i].status);
        fputs(": ", out);
        put_text(out, run->failures[i].reason);
        fputc('\n', out);
    }
    fputs("\n</details>\n", out);
}

static int put_comparison(FILE *out, const struct hm_page_run *run,
                          const struct hm_page_comparison *what) {
    size_t counts[HM_PAGE_VERDICTS];
    size_t all = hm_page_count(run, what->metric, counts);
    fprintf(out, "\n### %s\n\n%zu comparison%s in ", what->caption, all, all == 1 ? "" : "s");
    put_text(out, what->metric);
    fputc(':', out);
    for (int i = 0; i < HM_PAGE_VERDICTS; i++)
        fprintf(out, "%s %s %zu %s", i ? "," : "", hm_page_marks[i], counts[i],
                hm_page_word(what->metric, i));
    fputs("\n", out);
    return put_matrices(out, run, what->metric);
}

int hm_page_put_markdown(FILE *out, const struct hm_page_run *run) {
    struct hm_page_comparison compared[HM_PAGE_COMPARISONS];
    size_t count = hm_page_comparisons(run, compared);
    double noise = hm_page_noise(run);
    int bad = 0;
    fputs("## heapmark ", out);
    put_text(out, hm_page_text(run->json, "run"));
    fputs("\n\n", out);
    put_text(out, hm_page_text(run->json, "started_utc"));
    fputs(" on ", out);
    put_text(out, hm_page_text(json_object_get(run->json, "machine"), "cpu_model"));
    if (isfinite(noise))
        fprintf(out, "; identical arms (A/A) differed by up to %.1f %%", 100 * noise);
    fputs(".\n", out);
    if (!count)
        fputs("\nNothing was compared.\n", out);
    for (size_t i = 0; !bad && i < count; i++)
        bad = put_comparison(out, run, &compared[i]);
    put_failures(out, run);
    if (ftell(out) >= COMMENT_BYTES)
        fputs("\nCut here: report.html has all of it.\n", out);
    return bad;
}
