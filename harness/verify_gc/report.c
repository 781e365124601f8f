/* Shows what was found. */
#include "harness/verify_gc/report.h"

#include <jansson.h>
#include <string.h>

enum {
    WIDTH = 80,
    NAME_WIDTH = 22,
    COLUMN_MIN = 11, /* "unsupported" */
    COLUMN_MAX = 26,
};

static int column_width(const struct hm_gc_verified *arm) {
    size_t width = strlen(arm->label);
    return width < COLUMN_MIN ? COLUMN_MIN : width > COLUMN_MAX ? COLUMN_MAX : (int)width;
}

/* How many arms from `first` on fit beside each other; missing ones take no place. */
static size_t columns_that_fit(const struct hm_gc_report *r, size_t first) {
    int used = NAME_WIDTH;
    size_t i = first;
    for (; i < r->arm_count; i++) {
        if (r->arms[i].missing[0])
            continue;
        used += 1 + column_width(&r->arms[i]);
        if (used > WIDTH && i > first)
            break;
    }
    return i - first;
}

static void print_columns(FILE *out, const struct hm_gc_report *r, size_t first, size_t count) {
    fprintf(out, "%-*s", NAME_WIDTH, "property");
    for (size_t a = first; a < first + count; a++)
        if (!r->arms[a].missing[0])
            fprintf(out, " %*.*s", column_width(&r->arms[a]), COLUMN_MAX, r->arms[a].label);
    fputc('\n', out);
    for (size_t i = 0; i < r->property_count; i++) {
        fprintf(out, "%-*s", NAME_WIDTH, r->properties[i]->name);
        for (size_t a = first; a < first + count; a++)
            if (!r->arms[a].missing[0])
                fprintf(out, " %*s", column_width(&r->arms[a]),
                        hm_conform_word(r->arms[a].findings[i].verdict));
        fputc('\n', out);
    }
    fputc('\n', out);
}

/* Words behind what stands on the line already, on lines of at most WIDTH columns. */
static void print_wrapped(FILE *out, int column, const char *words) {
    while (*words) {
        size_t length = strcspn(words, " ");
        if (column + 1 + (int)length > WIDTH) {
            fputs("\n   ", out);
            column = 3;
        }
        column += fprintf(out, " %.*s", (int)length, words);
        words += length + strspn(words + length, " ");
    }
    fputc('\n', out);
}

static unsigned count_of(const struct hm_gc_report *r, const struct hm_gc_verified *arm,
                         enum hm_conform verdict) {
    unsigned count = 0;
    for (size_t i = 0; i < r->property_count; i++)
        count += arm->findings[i].verdict == verdict;
    return count;
}

static void print_counts(FILE *out, const struct hm_gc_report *r) {
    for (size_t a = 0; a < r->arm_count; a++) {
        const struct hm_gc_verified *arm = &r->arms[a];
        if (!arm->missing[0])
            fprintf(out, "%s: %u passed, %u deviate, %u failed, %u unsupported\n", arm->label,
                    count_of(r, arm, HM_CONFORM_PASSED), count_of(r, arm, HM_CONFORM_DEVIATES),
                    count_of(r, arm, HM_CONFORM_FAILED), count_of(r, arm, HM_CONFORM_UNSUPPORTED));
    }
}

static void print_script(FILE *out, const struct hm_gc_property *property,
                         const struct hm_gc_finding *f) {
    if (!property->shrink)
        return;
    if (!f->script_ops) {
        fputs("  no script of this seed fails again by itself\n", out);
        return;
    }
    fprintf(out, "  shrunk to %u operations%s\n", f->script_ops,
            f->script[0] ? ":" : ", too many to be printed");
    for (const char *line = f->script; *line; line += strcspn(line, "\n") + 1)
        fprintf(out, "    %.*s\n", (int)strcspn(line, "\n"), line);
}

/* What kind of line is told of one collector: all its properties with that verdict. */
static void print_lines(FILE *out, const struct hm_gc_report *r, enum hm_conform verdict,
                        const char *word) {
    for (size_t a = 0; a < r->arm_count; a++) {
        const struct hm_gc_verified *arm = &r->arms[a];
        for (size_t i = 0; !arm->missing[0] && i < r->property_count; i++) {
            const struct hm_gc_finding *f = &arm->findings[i];
            if (f->verdict != verdict || !f->line[0])
                continue;
            int column = fprintf(out, "%s: %s, %s:", word, arm->label, r->properties[i]->name);
            print_wrapped(out, column, f->line);
            if (verdict == HM_CONFORM_FAILED)
                print_script(out, r->properties[i], f);
        }
    }
}

void hm_gc_print_table(FILE *out, const struct hm_gc_report *r) {
    for (size_t first = 0; first < r->arm_count;) {
        size_t count = columns_that_fit(r, first);
        bool any = false;
        for (size_t a = first; a < first + count; a++)
            any |= !r->arms[a].missing[0];
        if (any)
            print_columns(out, r, first, count);
        first += count;
    }
    print_counts(out, r);
    print_lines(out, r, HM_CONFORM_PASSED, "note");
    print_lines(out, r, HM_CONFORM_UNSUPPORTED, "unsupported");
    for (size_t a = 0; a < r->arm_count; a++)
        if (r->arms[a].missing[0])
            fprintf(out, "missing: %s\n", r->arms[a].missing);
    print_lines(out, r, HM_CONFORM_DEVIATES, "deviates");
    print_lines(out, r, HM_CONFORM_FAILED, "failed");
}

static json_t *script_json(const char *script) {
    json_t *lines = json_array();
    for (; *script; script += strcspn(script, "\n") + 1)
        json_array_append_new(lines, json_stringn(script, strcspn(script, "\n")));
    return lines;
}

static json_t *finding_json(const struct hm_gc_property *property, const struct hm_gc_finding *f) {
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s}", "property", property->name, "demands", property->summary,
                  "verdict", hm_conform_word(f->verdict), "line", f->line);
    if (f->script_ops)
        json_object_set_new(json, "script", script_json(f->script));
    return json;
}

void hm_gc_print_json(FILE *out, const struct hm_gc_report *r) {
    json_t *arms = json_array();
    for (size_t a = 0; a < r->arm_count; a++) {
        const struct hm_gc_verified *arm = &r->arms[a];
        json_t *findings = json_array();
        for (size_t i = 0; !arm->missing[0] && i < r->property_count; i++)
            json_array_append_new(findings, finding_json(r->properties[i], &arm->findings[i]));
        json_array_append_new(arms, json_pack("{s:s, s:s, s:o}", "collector", arm->spec, "missing",
                                              arm->missing, "properties", findings));
    }
    json_t *json = json_pack("{s:I, s:I, s:o}", "ops", (json_int_t)r->ops, "seed",
                             (json_int_t)r->seed, "collectors", arms);
    json_dumpf(json, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(json);
}

bool hm_gc_any_failed(const struct hm_gc_report *r) {
    for (size_t a = 0; a < r->arm_count; a++)
        for (size_t i = 0; !r->arms[a].missing[0] && i < r->property_count; i++)
            if (r->arms[a].findings[i].verdict == HM_CONFORM_FAILED)
                return true;
    return false;
}
