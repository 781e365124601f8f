/* A comparison for a terminal of 80 columns. */
#include "harness/compare/show.h"

#include "harness/report/words.h"

#include <math.h>
#include <string.h>

enum {
    MARGIN = 2,
    WORST_MARGIN = 4, /* of a family's worst cell */
    NAME_WIDTH = 27,
    VALUE_WIDTH = 11,
    NAME_BYTES = 1024,
    RATIO_WIDTH = 23,
};

/* Words up to the page's width; lines that go on are indented. */
static void put_words(FILE *out, const char *text) {
    int column = 0;
    bool fresh = true; /* no word on this line yet */
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (!fresh && column + 1 + word > HM_WORDS_PAGE) {
            column = fprintf(out, "\n  ") - 1;
            fresh = true;
        }
        column += fprintf(out, "%s%.*s", fresh ? "" : " ", word, text);
        fresh = false;
        text += word + (text[word] == ' ');
    }
    fputc('\n', out);
}

static void put_lines(FILE *out, struct hm_lines *lines) {
    for (size_t i = 0; i < lines->count; i++)
        put_words(out, lines->at[i]);
    hm_lines_free(lines);
}

/* Bytes as people count them, other units with four digits. */
static void put_value(FILE *out, const struct hm_metric *metric, double value) {
    static const char *const units[] = {"", "K", "M", "G", "T"};
    size_t unit = 0;
    bool bytes = strcmp(metric->unit, "bytes") == 0;
    char text[32];
    for (; bytes && value >= 1024 && unit < 4; unit++)
        value /= 1024;
    if (!isfinite(value))
        snprintf(text, sizeof text, "NA");
    else
        snprintf(text, sizeof text, value >= 1000 ? "%.0f%s" : "%.4g%s", value, units[unit]);
    fprintf(out, "%*s", VALUE_WIDTH, text);
}

static void put_name(FILE *out, const char *name, int margin, bool exposed) {
    char marked[NAME_BYTES];
    snprintf(marked, sizeof marked, "%s%s", name, exposed ? "*" : "");
    hm_words_put_label(out, marked, margin, MARGIN + NAME_WIDTH - margin);
}

static void put_judged(FILE *out, const struct hm_unpaired *j, const char *verdict) {
    char ratio[64];
    hm_compare_ratio_text(j->ratio, j->low, j->high, ratio, sizeof ratio);
    if (strlen(ratio) > RATIO_WIDTH)
        snprintf(ratio, sizeof ratio, "%.3g [%.2g, %.2g]", j->ratio, j->low, j->high);
    fprintf(out, "  %-*s %s\n", RATIO_WIDTH, ratio, verdict);
}

static void put_cell(FILE *out, const struct hm_compared *c, const struct hm_unpaired *j) {
    char verdict[32];
    put_name(out, c->base->id, MARGIN, !c->reference && hm_compare_drifts(c->metric));
    put_value(out, c->metric, c->fresh_median);
    put_judged(out, j, hm_compare_verdict_text(j, verdict, sizeof verdict));
}

/* The mean, and below it the cell that it may hide. */
static void put_family(FILE *out, const struct hm_compare *all,
                       const struct hm_compared_family *f) {
    char name[NAME_BYTES];
    char verdict[32];
    const struct hm_unpaired *worst = &all->judged[f->worst];
    bool plain = strcmp(f->collector, "-") == 0;
    snprintf(name, sizeof name, "all %zu: %s%s%s", f->cells, plain ? "" : f->collector,
             plain ? "" : " on ", f->allocator);
    hm_words_put_label(out, name, MARGIN, NAME_WIDTH + VALUE_WIDTH);
    put_judged(out, &f->result, "mean");
    snprintf(name, sizeof name, "worst: %s", all->cells[f->worst].base->id);
    hm_words_put_label(out, name, WORST_MARGIN, MARGIN + NAME_WIDTH + VALUE_WIDTH - WORST_MARGIN);
    put_judged(out, worst, hm_compare_verdict_text(worst, verdict, sizeof verdict));
}

static void put_metric(FILE *out, const struct hm_compare *all, const struct hm_metric *metric) {
    fprintf(out, "\n%s, better is %s\n  %*s %10s  %-*s verdict\n", metric->name,
            hm_better_name(metric->better), NAME_WIDTH, "", metric->unit, RATIO_WIDTH,
            "NEW / BASE [95 %]");
    for (size_t i = 0; i < all->count; i++)
        if (all->cells[i].metric == metric)
            put_cell(out, &all->cells[i], &all->judged[i]);
    for (size_t i = 0; i < all->family_count; i++)
        if (all->families[i].metric == metric)
            put_family(out, all, &all->families[i]);
}

void hm_compare_show_table(FILE *out, const struct hm_compare_report *report) {
    const struct hm_compare *all = report->all;
    struct hm_lines preface = {0};
    struct hm_lines absent = {0};
    struct hm_lines summary = {0};
    hm_compare_preface(report, &preface);
    hm_compare_absent(report, &absent);
    hm_compare_summary(report, &summary);
    put_lines(out, &preface);
    for (size_t i = 0; i < all->count; i++)
        if (!i || all->cells[i].metric != all->cells[i - 1].metric)
            put_metric(out, all, all->cells[i].metric);
    fputs(absent.count ? "\nNot compared:\n" : "", out);
    put_lines(out, &absent);
    fputc('\n', out);
    put_lines(out, &summary);
}
