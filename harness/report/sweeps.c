/* The curves of a run's sweeps. */
#include "harness/report/sweeps.h"

#include "harness/report/cells.h"
#include "harness/report/context.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct point {
    size_t row;
    const char *text;
    double number; /* NAN: the value is a word */
};

struct curve {
    char *name;
    const char *key;
    size_t colour;
    size_t unswept; /* row + 1; 0: none */
    size_t first, count;
};

struct sheet {
    char *title;
    const char *kind;
    size_t first, count;
};

struct curves {
    const struct hm_swept_run *run;
    struct sheet *sheets;
    struct curve *curves;
    struct point *points;
    size_t sheet_count, curve_count, point_count;
    bool out_of_memory;
};

/* ---- What run.json says of a sweep ---- */

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const char *last_key(const json_t *sweep) {
    const json_t *keys = json_object_get(sweep, "keys");
    const char *key = json_string_value(json_array_get(keys, json_array_size(keys) - 1));
    return key ? key : "";
}

/* The value of an arm's last key; NULL: the arm is the unswept part only. */
static const json_t *last_value(const json_t *arm) {
    const json_t *values = json_object_get(arm, "values");
    return json_array_size(values) ? json_array_get(values, json_array_size(values) - 1) : NULL;
}

/* Whether two arms differ in the last key only. */
static bool same_curve(const json_t *a, const json_t *b) {
    const json_t *x = json_object_get(a, "values");
    const json_t *y = json_object_get(b, "values");
    for (size_t k = 0; k + 1 < json_array_size(x); k++)
        if (!json_equal(json_array_get(x, k), json_array_get(y, k)))
            return false;
    return json_array_size(x) == json_array_size(y);
}

static bool begins_curve(const json_t *arms, size_t index) {
    const json_t *arm = json_array_get(arms, index);
    for (size_t i = 0; i < index; i++)
        if (same_curve(json_array_get(arms, i), arm))
            return false;
    return last_value(arm) != NULL;
}

/* `generational policy=full by threshold0`: the part, what else is swept, and what the curve is over. */
static char *describe(const json_t *sweep, const json_t *arm, const char *part) {
    char *name = NULL;
    size_t size;
    FILE *out = open_memstream(&name, &size);
    if (!out)
        return NULL;
    fputs(part, out);
    const json_t *keys = json_object_get(sweep, "keys");
    for (size_t k = 0; k + 1 < json_array_size(keys); k++)
        fprintf(out, " %s=%s", json_string_value(json_array_get(keys, k)),
                text_of(json_array_get(json_object_get(arm, "values"), k), "text"));
    fprintf(out, " by %s", last_key(sweep));
    return fclose(out) ? NULL : name;
}

/* ---- Curves ---- */

static void *append(struct curves *c, void *array_of_items, size_t *count, size_t bytes) {
    void *item = hm_report_append(array_of_items, count, bytes);
    c->out_of_memory |= !item;
    return item;
}

static void add_point(struct curves *c, size_t row, const json_t *value) {
    struct point *p = append(c, &c->points, &c->point_count, sizeof *p);
    const json_t *number = json_object_get(value, "number");
    if (p)
        *p = (struct point){row, text_of(value, "text"),
                            json_is_number(number) ? json_number_value(number) : NAN};
}

static int by_number(const void *a, const void *b) {
    const struct point *x = a;
    const struct point *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static void begin_curve(struct curves *c, char *name, const char *key) {
    struct curve *curve = append(c, &c->curves, &c->curve_count, sizeof *curve);
    if (!curve || !name) {
        c->out_of_memory = true;
        free(name);
        return;
    }
    *curve = (struct curve){.name = name, .key = key, .first = c->point_count};
    for (size_t i = 0; i + 1 < c->curve_count; i++) {
        if (strcmp(c->curves[i].name, name) == 0) {
            curve->colour = c->curves[i].colour;
            return;
        }
        curve->colour =
            c->curves[i].colour + 1 > curve->colour ? c->curves[i].colour + 1 : curve->colour;
    }
}

/* A curve that has no points goes again. Words keep their order. */
static void end_curve(struct curves *c) {
    struct curve *curve = c->curve_count ? &c->curves[c->curve_count - 1] : NULL;
    if (!curve || c->out_of_memory)
        return;
    curve->count = c->point_count - curve->first;
    bool numbers = true;
    for (size_t i = curve->first; i < c->point_count; i++)
        numbers &= isfinite(c->points[i].number) != 0;
    if (!curve->count) {
        free(curve->name);
        c->curve_count--;
    } else if (numbers) {
        qsort(c->points + curve->first, curve->count, sizeof *c->points, by_number);
    }
}

/* ---- Swept allocators and collectors: in a panel ---- */

static bool is_of(const struct hm_swept_panel *p, const char *kind) {
    return strcmp(kind, p->on ? "collector" : "allocator") == 0;
}

/* @return the row of an arm in a panel, or SIZE_MAX */
static size_t row_of(const struct curves *c, const struct hm_swept_panel *p, const char *label) {
    for (size_t r = p->first; r < p->first + p->count; r++) {
        const struct hm_swept_row *row = &c->run->rows[r];
        if (!row->control && strcmp(p->on ? row->collector : row->allocator, label) == 0)
            return r;
    }
    return SIZE_MAX;
}

static void add_curve(struct curves *c, const struct hm_swept_panel *p, const json_t *sweep,
                      size_t from) {
    const json_t *arms = json_object_get(sweep, "arms");
    const json_t *first = json_array_get(arms, from);
    size_t unswept = SIZE_MAX;
    begin_curve(c, describe(sweep, first, text_of(sweep, "part")), last_key(sweep));
    for (size_t i = 0; i < json_array_size(arms); i++) {
        const json_t *arm = json_array_get(arms, i);
        size_t row = row_of(c, p, text_of(arm, "label"));
        if (json_is_true(json_object_get(arm, "unswept")))
            unswept = row;
        if (row != SIZE_MAX && same_curve(first, arm))
            add_point(c, row, last_value(arm));
    }
    if (!c->out_of_memory)
        c->curves[c->curve_count - 1].unswept = unswept == SIZE_MAX ? 0 : unswept + 1;
    end_curve(c);
}

static char *title_of(const struct hm_swept_panel *p, const char *workload) {
    char *title;
    return asprintf(&title, "%s%s%s%s%s, %ld thread%s", workload, p->under ? ", " : "",
                    p->under ? p->under : "", p->on ? " on " : "", p->on ? p->on : "", p->threads,
                    p->threads == 1 ? "" : "s") < 0
               ? NULL
               : title;
}

static void begin_sheet(struct curves *c, char *title, const char *kind) {
    struct sheet *sheet = append(c, &c->sheets, &c->sheet_count, sizeof *sheet);
    if (!sheet || !title) {
        c->out_of_memory = true;
        free(title);
        return;
    }
    *sheet = (struct sheet){.title = title, .kind = kind, .first = c->curve_count};
}

static void end_sheet(struct curves *c) {
    struct sheet *sheet = c->sheet_count ? &c->sheets[c->sheet_count - 1] : NULL;
    if (!sheet || c->out_of_memory)
        return;
    sheet->count = c->curve_count - sheet->first;
    if (sheet->count)
        return;
    free(sheet->title);
    c->sheet_count--;
}

static void add_panel(struct curves *c, const struct hm_swept_panel *p, const json_t *sweeps) {
    begin_sheet(c, title_of(p, p->workload), p->on ? "collector" : "allocator");
    for (size_t s = 0; s < json_array_size(sweeps); s++) {
        const json_t *sweep = json_array_get(sweeps, s);
        const json_t *arms = json_object_get(sweep, "arms");
        for (size_t i = 0; i < json_array_size(arms) && is_of(p, text_of(sweep, "kind")); i++)
            if (begins_curve(arms, i) && !c->out_of_memory)
                add_curve(c, p, sweep, i);
    }
    end_sheet(c);
}

/* ---- Swept workloads: over panels ---- */

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The panel of an arm that differs from this one in the workload only. */
static const struct hm_swept_panel *panel_of(const struct curves *c, const struct hm_swept_panel *p,
                                             const char *workload) {
    for (size_t i = 0; i < c->run->panel_count; i++) {
        const struct hm_swept_panel *other = &c->run->panels[i];
        if (strcmp(other->workload, workload) == 0 && other->threads == p->threads &&
            same_text(other->under, p->under) && same_text(other->on, p->on))
            return other;
    }
    return NULL;
}

static void add_row_curve(struct curves *c, const struct hm_swept_panel *p, const json_t *sweep,
                          size_t from, const struct hm_swept_row *row) {
    const json_t *arms = json_object_get(sweep, "arms");
    const json_t *first = json_array_get(arms, from);
    char *name = strdup(row->name);
    begin_curve(c, name, last_key(sweep));
    for (size_t i = 0; i < json_array_size(arms); i++) {
        const json_t *arm = json_array_get(arms, i);
        const struct hm_swept_panel *at = panel_of(c, p, text_of(arm, "label"));
        for (size_t r = at ? at->first : 0; at && r < at->first + at->count; r++)
            if (same_curve(first, arm) && !c->run->rows[r].control &&
                strcmp(c->run->rows[r].name, row->name) == 0)
                add_point(c, r, last_value(arm));
    }
    end_curve(c);
}

static void add_workload(struct curves *c, const json_t *sweep, size_t from) {
    const json_t *arm = json_array_get(json_object_get(sweep, "arms"), from);
    for (size_t i = 0; i < c->run->panel_count; i++) {
        const struct hm_swept_panel *p = &c->run->panels[i];
        if (strcmp(p->workload, text_of(arm, "label")) != 0)
            continue;
        char *work = describe(sweep, arm, text_of(sweep, "part"));
        begin_sheet(c, work ? title_of(p, work) : NULL, "workload");
        free(work);
        for (size_t r = p->first; r < p->first + p->count && !c->out_of_memory; r++)
            if (!c->run->rows[r].control)
                add_row_curve(c, p, sweep, from, &c->run->rows[r]);
        end_sheet(c);
    }
}

static void add_workloads(struct curves *c, const json_t *sweeps) {
    for (size_t s = 0; s < json_array_size(sweeps); s++) {
        const json_t *sweep = json_array_get(sweeps, s);
        const json_t *arms = json_object_get(sweep, "arms");
        if (strcmp(text_of(sweep, "kind"), "workload") != 0)
            continue;
        for (size_t i = 0; i < json_array_size(arms); i++)
            if (begins_curve(arms, i))
                add_workload(c, sweep, i);
    }
}

/* ---- Writing ---- */

static void put_array(FILE *out, const char *name, size_t count) {
    fprintf(out, "array %s[%zu]\n", name, count ? count : 1); /* gnuplot has no empty ones */
}

static void put_text(FILE *out, const char *name, size_t index, const char *text) {
    fprintf(out, "%s[%zu] = ", name, index + 1);
    hm_context_put_text(out, text);
    putc('\n', out);
}

static void put_sheets(const struct curves *c, FILE *out) {
    static const char *const names[] = {"sheet_title", "sheet_kind", "sheet_first", "sheet_last"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put_array(out, names[i], c->sheet_count);
    for (size_t i = 0; i < c->sheet_count; i++) {
        const struct sheet *s = &c->sheets[i];
        put_text(out, "sheet_title", i, s->title);
        put_text(out, "sheet_kind", i, s->kind);
        fprintf(out, "sheet_first[%zu] = %zu\nsheet_last[%zu] = %zu\n", i + 1, s->first + 1, i + 1,
                s->first + s->count);
    }
}

static void put_curves(const struct curves *c, FILE *out) {
    static const char *const names[] = {"curve_name",    "curve_key",   "curve_colour",
                                        "curve_unswept", "curve_first", "curve_last"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put_array(out, names[i], c->curve_count);
    for (size_t i = 0; i < c->curve_count; i++) {
        const struct curve *v = &c->curves[i];
        put_text(out, "curve_name", i, v->name);
        put_text(out, "curve_key", i, v->key);
        fprintf(out, "curve_colour[%zu] = %zu\ncurve_unswept[%zu] = %zu\n", i + 1, v->colour + 1,
                i + 1, v->unswept);
        fprintf(out, "curve_first[%zu] = %zu\ncurve_last[%zu] = %zu\n", i + 1, v->first + 1, i + 1,
                v->first + v->count);
    }
}

static void put_points(const struct curves *c, FILE *out) {
    put_array(out, "point_row", c->point_count);
    put_array(out, "point_text", c->point_count);
    put_array(out, "point_number", c->point_count);
    for (size_t i = 0; i < c->point_count; i++) {
        const struct point *p = &c->points[i];
        put_text(out, "point_text", i, p->text);
        fprintf(out, "point_row[%zu] = %zu\n", i + 1, p->row + 1);
        if (isfinite(p->number))
            fprintf(out, "point_number[%zu] = %.17g\n", i + 1, p->number);
        else
            fprintf(out, "point_number[%zu] = NaN\n", i + 1);
    }
}

static void free_curves(struct curves *c) {
    for (size_t i = 0; i < c->sheet_count; i++)
        free(c->sheets[i].title);
    for (size_t i = 0; i < c->curve_count; i++)
        free(c->curves[i].name);
    free(c->sheets);
    free(c->curves);
    free(c->points);
}

int hm_sweeps_write(const struct hm_swept_run *run, FILE *out) {
    struct curves c = {.run = run};
    const json_t *sweeps = json_object_get(run->run, "sweeps");
    for (size_t i = 0; i < run->panel_count && !c.out_of_memory && json_array_size(sweeps); i++)
        add_panel(&c, &run->panels[i], sweeps);
    if (!c.out_of_memory)
        add_workloads(&c, sweeps);
    if (!c.out_of_memory) {
        fprintf(out, "sheets = %zu\ncurves = %zu\npoints = %zu\nsweeps = %zu\n", c.sheet_count,
                c.curve_count, c.point_count, json_array_size(sweeps));
        put_sheets(&c, out);
        put_curves(&c, out);
        put_points(&c, out);
    }
    free_curves(&c);
    return c.out_of_memory ? ENOMEM : 0;
}
