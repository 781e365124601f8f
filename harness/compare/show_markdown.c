/* A comparison as markdown: what matters first, and every cell in a fold. */
#include "harness/compare/show.h"

#include <string.h>

/* Nothing in a name may end its cell, or be taken for markup. */
static void put_text(FILE *out, const char *text) {
    for (; *text; text++) {
        if (strchr("\\|`*_<>[]#&", *text))
            fputc('\\', out);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

static void put_items(FILE *out, struct hm_lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        fputs("- ", out);
        put_text(out, lines->at[i]);
        fputc('\n', out);
    }
    hm_lines_free(lines);
}

static void put_head(FILE *out) {
    fputs("\n| metric | cell | NEW / BASE [95 %] | verdict |\n|---|---|---|---|\n", out);
}

static void put_ratio(FILE *out, const struct hm_unpaired *j) {
    char text[64];
    put_text(out, hm_compare_ratio_text(j->ratio, j->low, j->high, text, sizeof text));
}

static void put_cell(FILE *out, const struct hm_compared *c, const struct hm_unpaired *j) {
    char verdict[32];
    fputs("| ", out);
    put_text(out, c->metric->name);
    fputs(" | ", out);
    put_text(out, c->base->id);
    if (!c->reference && hm_compare_drifts(c->metric))
        put_text(out, "*");
    fputs(" | ", out);
    put_ratio(out, j);
    fprintf(out, " | %s |\n", hm_compare_verdict_text(j, verdict, sizeof verdict));
}

static bool is_news(const struct hm_unpaired *j) {
    return j->verdict == HM_SLOWER || j->verdict == HM_FASTER;
}

static void put_cells(FILE *out, const struct hm_compare *all, bool news_only) {
    for (size_t i = 0; i < all->count; i++)
        if (!news_only || is_news(&all->judged[i]))
            put_cell(out, &all->cells[i], &all->judged[i]);
}

static void put_families(FILE *out, const struct hm_compare *all) {
    if (!all->family_count)
        return;
    fputs("\n| metric | family | geometric mean [95 %] | worst |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < all->family_count; i++) {
        const struct hm_compared_family *f = &all->families[i];
        fputs("| ", out);
        put_text(out, f->metric->name);
        fprintf(out, " | %zu cells of ", f->cells);
        if (strcmp(f->collector, "-") != 0) {
            put_text(out, f->collector);
            fputs(" on ", out);
        }
        put_text(out, f->allocator);
        fputs(" | ", out);
        put_ratio(out, &f->result);
        fprintf(out, " | %.4g: ", all->judged[f->worst].ratio);
        put_text(out, all->cells[f->worst].base->id);
        fputs(" |\n", out);
    }
}

void hm_compare_show_markdown(FILE *out, const struct hm_compare_report *report) {
    const struct hm_compare *all = report->all;
    struct hm_lines lines = {0};
    struct hm_lines absent = {0};
    fputs("### heapmark compare\n\n", out);
    hm_compare_summary(report, &lines);
    hm_compare_absent(report, &absent);
    put_items(out, &lines);
    put_items(out, &absent);
    if (hm_compare_count(all, HM_SLOWER) + hm_compare_count(all, HM_FASTER)) {
        put_head(out);
        put_cells(out, all, true);
    }
    put_families(out, all);
    fprintf(out, "\n<details><summary>All %zu comparisons</summary>\n", all->count);
    put_head(out);
    put_cells(out, all, false);
    fputc('\n', out);
    lines = (struct hm_lines){0};
    hm_compare_preface(report, &lines);
    put_items(out, &lines);
    fputs("\n</details>\n", out);
}
