/* Sets the cells of a run out in panels of rows, and writes them as gnuplot arrays. */
#include "harness/report/context.h"

#include "harness/report/cells.h"
#include "harness/report/sweeps.h"
#include "harness/stats/trend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    KIND_BASELINE,
    KIND_AGAIN,
    KIND_PLAIN,
    KIND_FLOOR
};

struct panel {
    const struct hm_report_cell *sample;   /* any of its cells: has the workload and the threads */
    const struct hm_report_cell *baseline; /* NULL when nothing says which it is */
    const char *under;                     /* the collector of all its cells, or NULL */
    const char *on; /* the allocator of all its cells but the controls, or NULL */
    size_t first, count, facet;
};

struct row {
    const struct hm_report_cell *cell;
    enum kind kind;
    size_t arm;
};

struct arm {
    char *name;
    enum kind kind;
};

struct context {
    struct hm_report_cells cells;
    struct panel *panels;
    struct row *rows;
    struct arm *arms;
    size_t panel_count, row_count, arm_count, facet_count;
    bool out_of_memory;
};

static void *append(struct context *c, void *array_of_items, size_t *count, size_t bytes) {
    void *item = hm_report_append(array_of_items, count, bytes);
    c->out_of_memory |= !item;
    return item;
}

static bool is_floor(const struct hm_report_cell *cell) {
    return strncmp(cell->allocator, "floor", 5) == 0 && strchr(":", cell->allocator[5]);
}

static bool is_again(const struct hm_report_cell *cell) {
    const char *mark = strrchr(cell->allocator, '#');
    return mark && strcmp(mark, "#2") == 0;
}

static bool is_without_heap(const struct hm_report_cell *cell) {
    return cell->allocator[0] == '-' && strchr("#", cell->allocator[1]);
}

static bool is_control(const struct hm_report_cell *cell) {
    return is_floor(cell) || is_again(cell);
}

static bool same_group(const struct hm_report_cell *a, const struct hm_report_cell *b) {
    return a->threads == b->threads && strcmp(a->workload, b->workload) == 0;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool in_panel(const struct panel *p, const struct hm_report_cell *cell) {
    return same_group(p->sample, cell) && (!p->under || strcmp(cell->collector, p->under) == 0) &&
           (!p->on || strcmp(cell->allocator, p->on) == 0 || is_control(cell));
}

static bool names_cell(const char *name, const struct hm_report_cell *cell) {
    return name && (strcmp(name, cell->id) == 0 || strcmp(name, cell->allocator) == 0);
}

/* The cell of a panel that another one is compared with; else that of run.json's allocator. */
static const struct hm_report_cell *baseline_of(const struct context *c, const struct panel *p) {
    for (size_t i = 0; i < c->cells.count; i++)
        for (size_t k = 0; in_panel(p, &c->cells.at[i]) && k < c->cells.count; k++)
            if (k != i && in_panel(p, &c->cells.at[k]) &&
                names_cell(c->cells.at[i].baseline, &c->cells.at[k]))
                return &c->cells.at[k];
    const char *name =
        json_string_value(json_object_get(json_object_get(c->cells.run, "baseline"), "allocator"));
    for (size_t i = 0; i < c->cells.count; i++)
        if (in_panel(p, &c->cells.at[i]) && names_cell(name, &c->cells.at[i]))
            return &c->cells.at[i];
    return NULL;
}

static enum kind kind_of(const struct panel *p, const struct hm_report_cell *cell) {
    if (cell == p->baseline)
        return KIND_BASELINE;
    if (is_floor(cell))
        return KIND_FLOOR;
    return is_again(cell) ? KIND_AGAIN : KIND_PLAIN;
}

static char *name_of(const struct panel *p, const struct hm_report_cell *cell) {
    char *name = NULL;
    const char *text = p->on ? cell->collector : cell->allocator;
    int done;
    size_t length = strcspn(text, "#");
    if (is_without_heap(cell))
        done = asprintf(&name, "%s", is_again(cell) ? "again (A/A)" : "no heap");
    else if (is_floor(cell))
        done = asprintf(&name, "%s (harness)", cell->allocator);
    else if (is_again(cell))
        done = asprintf(&name, "%.*s again (A/A)", (int)length, text);
    else
        done = asprintf(&name, "%s", text);
    return done < 0 ? NULL : name;
}

static size_t take_arm(struct context *c, char *name, enum kind kind) {
    for (size_t i = 0; name && i < c->arm_count; i++)
        if (strcmp(c->arms[i].name, name) == 0) {
            free(name);
            return i;
        }
    struct arm *arm = name ? append(c, &c->arms, &c->arm_count, sizeof *arm) : NULL;
    if (!arm) {
        c->out_of_memory = true;
        free(name);
        return 0;
    }
    *arm = (struct arm){name, kind};
    return c->arm_count - 1;
}

static int by_kind(const void *a, const void *b) {
    const struct row *left = a;
    const struct row *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return (left->arm > right->arm) - (left->arm < right->arm);
}

/* A panel's baseline comes first, then its second copy, the others, and the floors. */
static void add_rows(struct context *c, struct panel *p) {
    p->first = c->row_count;
    for (size_t i = 0; i < c->cells.count; i++) {
        const struct hm_report_cell *cell = &c->cells.at[i];
        struct row *row =
            in_panel(p, cell) ? append(c, &c->rows, &c->row_count, sizeof *row) : NULL;
        if (!row)
            continue;
        enum kind kind = kind_of(p, cell);
        *row = (struct row){cell, kind, take_arm(c, name_of(p, cell), kind)};
    }
    p->count = c->row_count - p->first;
    if (p->count)
        qsort(c->rows + p->first, p->count, sizeof *c->rows, by_kind);
}

static size_t facet_of(struct context *c, const struct panel *p) {
    for (size_t i = 0; i < c->panel_count; i++) {
        const struct panel *other = &c->panels[i];
        if (other != p && same_text(other->sample->workload, p->sample->workload) &&
            same_text(other->under, p->under) && same_text(other->on, p->on))
            return other->facet;
    }
    return c->facet_count++;
}

static void add_panel(struct context *c, const struct hm_report_cell *sample, const char *under,
                      const char *on) {
    struct panel *p = append(c, &c->panels, &c->panel_count, sizeof *p);
    if (!p)
        return;
    *p = (struct panel){.sample = sample, .under = under, .on = on};
    p->baseline = baseline_of(c, p);
    p->facet = facet_of(c, p);
    add_rows(c, p);
}

/* Whether no cell before this one is of its group, and has its collector or allocator. */
static bool is_first(const struct context *c, const struct hm_report_cell *cell, bool collector,
                     bool allocator) {
    for (const struct hm_report_cell *before = c->cells.at; before < cell; before++)
        if (same_group(before, cell) &&
            (!collector || strcmp(before->collector, cell->collector) == 0) &&
            (!allocator || strcmp(before->allocator, cell->allocator) == 0))
            return false;
    return true;
}

static void add_object_panels(struct context *c, const struct hm_report_cell *sample) {
    const struct hm_report_cell *baseline = baseline_of(c, &(struct panel){.sample = sample});
    size_t allocators = 0;
    size_t collectors = 0;
    for (const struct hm_report_cell *cell = c->cells.at; cell < c->cells.at + c->cells.count;
         cell++)
        if (same_group(cell, sample) && !is_control(cell)) {
            allocators += is_first(c, cell, false, true);
            collectors += is_first(c, cell, true, false);
        }
    if (allocators < 2 || collectors > 1)
        add_panel(c, sample, NULL, (baseline ? baseline : sample)->allocator);
    for (const struct hm_report_cell *cell = c->cells.at; cell < c->cells.at + c->cells.count;
         cell++)
        if (allocators > 1 && same_group(cell, sample) && is_first(c, cell, true, false))
            add_panel(c, sample, cell->collector, NULL);
}

static int by_facet(const void *a, const void *b) {
    const struct panel *left = a;
    const struct panel *right = b;
    if (left->facet != right->facet)
        return left->facet < right->facet ? -1 : 1;
    return (left->sample->threads > right->sample->threads) -
           (left->sample->threads < right->sample->threads);
}

/* A facet's panels come one after the other, by their threads. */
static void add_panels(struct context *c) {
    for (size_t i = 0; i < c->cells.count; i++) {
        const struct hm_report_cell *cell = &c->cells.at[i];
        if (!is_first(c, cell, false, false))
            continue;
        if (*cell->collector)
            add_object_panels(c, cell);
        else
            add_panel(c, cell, NULL, NULL);
    }
    if (c->panel_count)
        qsort(c->panels, c->panel_count, sizeof *c->panels, by_facet);
}

void hm_context_put_text(FILE *out, const char *text) {
    putc('\'', out);
    for (const char *at = text; *at; at++) {
        if (*at == '\'')
            putc('\'', out);
        putc((unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at, out);
    }
    putc('\'', out);
}

static void put_text(FILE *out, const char *name, size_t index, const char *text) {
    fprintf(out, "%s[%zu] = ", name, index + 1);
    hm_context_put_text(out, text ? text : "");
    putc('\n', out);
}

static void put_number(FILE *out, const char *name, size_t index, long number) {
    fprintf(out, "%s[%zu] = %ld\n", name, index + 1, number);
}

/* gnuplot has no empty arrays. */
static void put_arrays(FILE *out, const char *const *names, size_t count) {
    for (; *names; names++)
        fprintf(out, "array %s[%zu]\n", *names, count ? count : 1);
}

static const char *run_text(const struct context *c, const char *object, const char *key) {
    const json_t *in = object ? json_object_get(c->cells.run, object) : c->cells.run;
    const char *text = json_string_value(json_object_get(in, key));
    return text ? text : "";
}

/* Looks share what an interval may be wrong in. */
static double confidence_of(const json_t *run) {
    const json_t *look = json_array_get(json_object_get(run, "looks"), 0);
    const json_t *level = json_object_get(look, "level");
    return 1 - (json_is_number(level) ? json_number_value(level) : 0.05);
}

/* 0 where not all groups have the same. */
static long long rounds_of(const json_t *run) {
    json_int_t rounds = json_integer_value(json_object_get(run, "rounds"));
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(run, "groups"), i, group) {
        const json_t *own = json_object_get(group, "rounds");
        if (own && json_integer_value(own) != rounds)
            return 0;
    }
    return rounds;
}

static void put_run(const struct context *c, FILE *out) {
    static const struct {
        const char *name, *object, *key;
    } texts[] = {
        {"run", NULL, "run"}, {"machine", "machine", "cpu_model"}, {"date", NULL, "started_utc"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fprintf(out, "%s = ", texts[i].name);
        hm_context_put_text(out, run_text(c, texts[i].object, texts[i].key));
        putc('\n', out);
    }
    const json_t *cores = json_object_get(json_object_get(c->cells.run, "machine"), "cores");
    fprintf(out, "cores = %lld\n", (long long)json_integer_value(cores));
    fprintf(out, "rounds = %lld\n", rounds_of(c->cells.run));
    fprintf(out, "confidence = %.6g\n", confidence_of(c->cells.run));
    fprintf(out, "panels = %zu\nrows = %zu\narms = %zu\nfacets = %zu\n", c->panel_count,
            c->row_count, c->arm_count, c->facet_count);
}

static size_t baseline_row(const struct context *c, const struct panel *p) {
    const struct row *first = &c->rows[p->first];
    return p->count && first->kind == KIND_BASELINE ? p->first + 1 : 0;
}

static void put_panels(const struct context *c, FILE *out) {
    static const char *const names[] = {"panel_workload", "panel_threads",  "panel_under",
                                        "panel_on",       "panel_baseline", "panel_first",
                                        "panel_last",     "panel_facet",    NULL};
    put_arrays(out, names, c->panel_count);
    for (size_t i = 0; i < c->panel_count; i++) {
        const struct panel *p = &c->panels[i];
        put_text(out, "panel_workload", i, p->sample->workload);
        put_number(out, "panel_threads", i, p->sample->threads);
        put_text(out, "panel_under", i, p->under);
        put_text(out, "panel_on", i, p->on);
        put_number(out, "panel_baseline", i, (long)baseline_row(c, p));
        put_number(out, "panel_first", i, (long)p->first + 1);
        put_number(out, "panel_last", i, (long)(p->first + p->count));
        put_number(out, "panel_facet", i, (long)p->facet + 1);
    }
}

static void put_failure(FILE *out, size_t row, const struct hm_report_cell *cell) {
    char *text = NULL;
    if (cell->failure && cell->measured &&
        asprintf(&text, "%ld %s", cell->failures, cell->failure) < 0)
        text = NULL;
    put_text(out, "row_failure", row, text ? text : cell->failure);
    free(text);
}

static void put_trend(FILE *out, size_t row, const struct hm_report_cell *cell) {
    long known = cell->trends[0] + cell->trends[1] + cell->trends[2];
    const char *word = known ? "mixed" : hm_trend_name(HM_TREND_UNKNOWN);
    for (int i = 0; i < 3; i++)
        if (cell->garbage_processes && cell->trends[i] == cell->garbage_processes)
            word = hm_trend_name((enum hm_trend_label)(i - 1));
    put_text(out, "row_trend", row, cell->garbage_processes ? word : "");
}

/* "flat", or "4 flat, 2 warm-up". */
static void put_labels(FILE *out, size_t row, const struct hm_report_cell *cell) {
    char text[128] = "";
    for (int i = 0; i < HM_WARMUP_UNKNOWN; i++) {
        const char *name = hm_warmup_name((enum hm_warmup_label)i);
        size_t used = strlen(text);
        if (cell->labels[i] && cell->labels[i] == cell->warmup_processes)
            snprintf(text, sizeof text, "%s", name);
        else if (cell->labels[i])
            snprintf(text + used, sizeof text - used, "%s%ld %s", used ? ", " : "", cell->labels[i],
                     name);
    }
    put_text(out, "row_labels", row, text[0] ? text : hm_warmup_name(HM_WARMUP_UNKNOWN));
}

static void put_rows(const struct context *c, FILE *out) {
    static const char *const names[] = {
        "row_cell",    "row_allocator", "row_collector",  "row_name",  "row_arm",     "row_kind",
        "row_failure", "row_measured",  "row_pauses",     "row_mmu",   "row_garbage", "row_round",
        "row_from",    "row_to",        "row_iterations", "row_trend", "row_labels",  NULL};
    put_arrays(out, names, c->row_count);
    for (size_t i = 0; i < c->row_count; i++) {
        const struct row *row = &c->rows[i];
        put_text(out, "row_cell", i, row->cell->id);
        put_text(out, "row_allocator", i, row->cell->allocator);
        put_text(out, "row_collector", i, row->cell->collector);
        put_text(out, "row_name", i, c->arms[row->arm].name);
        put_number(out, "row_arm", i, (long)row->arm + 1);
        put_number(out, "row_kind", i, row->kind);
        put_failure(out, i, row->cell);
        put_number(out, "row_measured", i, row->cell->measured);
        put_number(out, "row_pauses", i, row->cell->pauses);
        put_number(out, "row_mmu", i, row->cell->mmu_points);
        put_number(out, "row_garbage", i, row->cell->garbage_points);
        put_number(out, "row_iterations", i, row->cell->iterations);
        put_trend(out, i, row->cell);
        put_labels(out, i, row->cell);
        put_number(out, "row_round", i, row->cell->round);
        put_number(out, "row_from", i, row->cell->first);
        put_number(out, "row_to", i, row->cell->last);
    }
}

static void put_arms(const struct context *c, FILE *out) {
    static const char *const names[] = {"arm_name", "arm_kind", NULL};
    put_arrays(out, names, c->arm_count);
    for (size_t i = 0; i < c->arm_count; i++) {
        put_text(out, "arm_name", i, c->arms[i].name);
        put_number(out, "arm_kind", i, c->arms[i].kind);
    }
}

static int put_sweeps(const struct context *c, FILE *out) {
    struct hm_swept_panel *panels = calloc(c->panel_count + 1, sizeof *panels);
    struct hm_swept_row *rows = calloc(c->row_count + 1, sizeof *rows);
    for (size_t i = 0; panels && i < c->panel_count; i++) {
        const struct panel *p = &c->panels[i];
        panels[i] = (struct hm_swept_panel){p->sample->workload, p->under, p->on,
                                            p->sample->threads,  p->first, p->count};
    }
    for (size_t i = 0; rows && i < c->row_count; i++) {
        const struct row *r = &c->rows[i];
        rows[i] = (struct hm_swept_row){r->cell->allocator, r->cell->collector,
                                        c->arms[r->arm].name, is_control(r->cell)};
    }
    const struct hm_swept_run run = {c->cells.run, panels, rows, c->panel_count, c->row_count};
    int bad = panels && rows ? hm_sweeps_write(&run, out) : ENOMEM;
    free(panels);
    free(rows);
    return bad;
}

static void free_context(struct context *c) {
    hm_report_cells_free(&c->cells);
    for (size_t i = 0; i < c->arm_count; i++)
        free(c->arms[i].name);
    free(c->panels);
    free(c->rows);
    free(c->arms);
}

int hm_context_write(const char *run_dir, FILE *out, struct hm_error *error) {
    struct context c = {0};
    int bad = hm_report_cells_read(&c.cells, run_dir, error);
    if (!bad)
        add_panels(&c);
    if (!bad && c.out_of_memory)
        bad = hm_fail(error, ENOMEM, "%s: out of memory", run_dir);
    if (!bad) {
        put_run(&c, out);
        put_panels(&c, out);
        put_rows(&c, out);
        put_arms(&c, out);
        if (put_sweeps(&c, out))
            bad = hm_fail(error, ENOMEM, "%s: out of memory", run_dir);
    }
    free_context(&c);
    return bad;
}
