/* Shows what was found. */
#include "harness/verify/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum {
    WIDTH = 80,
    NAME_WIDTH = 22,
    COLUMN_MIN = 11, /* "neutralised" */
    COLUMN_MAX = 26,
};

static bool is_missing(const struct hm_verified *arm) {
    return arm->arm->missing[0] != '\0';
}

static int column_width(const struct hm_verify_report *r, const struct hm_verified *arm) {
    size_t width = strlen(arm->arm->label);
    for (size_t i = 0; i < r->property_count; i++) {
        size_t word = strlen(hm_conform_word(arm->findings[i].verdict));
        width = word > width ? word : width;
    }
    return width < COLUMN_MIN ? COLUMN_MIN : width > COLUMN_MAX ? COLUMN_MAX : (int)width;
}

/* How many arms from `first` on fit beside each other; missing ones take no place. */
static size_t columns_that_fit(const struct hm_verify_report *r, size_t first) {
    int used = NAME_WIDTH;
    size_t i = first;
    for (; i < r->arm_count; i++) {
        if (is_missing(&r->arms[i]))
            continue;
        used += 1 + column_width(r, &r->arms[i]);
        if (used > WIDTH && i > first)
            break;
    }
    return i - first;
}

static void print_columns(FILE *out, const struct hm_verify_report *r, size_t first, size_t count) {
    fprintf(out, "%-*s", NAME_WIDTH, "property");
    for (size_t a = first; a < first + count; a++)
        if (!is_missing(&r->arms[a]))
            fprintf(out, " %*.*s", column_width(r, &r->arms[a]), COLUMN_MAX, r->arms[a].arm->label);
    fputc('\n', out);
    for (size_t i = 0; i < r->property_count; i++) {
        fprintf(out, "%-*s", NAME_WIDTH, r->properties[i]->name);
        for (size_t a = first; a < first + count; a++)
            if (!is_missing(&r->arms[a]))
                fprintf(out, " %*s", column_width(r, &r->arms[a]),
                        hm_conform_word(r->arms[a].findings[i].verdict));
        fputc('\n', out);
    }
    fputc('\n', out);
}

static double rate_of(const struct hm_finding *f) {
    bool held = f->verdict == HM_CONFORM_PASSED || f->verdict == HM_CONFORM_DEVIATES;
    return held && f->seconds > 0 ? (double)(f->ops - f->refused) / f->seconds : 0;
}

static void print_rates(FILE *out, const struct hm_verify_report *r) {
    for (size_t i = 0; i < r->property_count; i++) {
        int column = 0;
        for (size_t a = 0; a < r->arm_count; a++) {
            if (is_missing(&r->arms[a]) || rate_of(&r->arms[a].findings[i]) <= 0)
                continue;
            char text[HM_SPEC_BYTES + 32];
            int width = snprintf(text, sizeof text, " %s %.2f", r->arms[a].arm->label,
                                 rate_of(&r->arms[a].findings[i]) / 1e6);
            if (!column)
                column = fprintf(out, "%s, million checked operations/s:", r->properties[i]->name);
            if (column + width > WIDTH - 1)
                column = fprintf(out, "\n   ") - 1;
            column += fprintf(out, "%s", text);
        }
        if (column)
            fputc('\n', out);
    }
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

static unsigned count_of(const struct hm_verify_report *r, const struct hm_verified *arm,
                         enum hm_conform verdict) {
    unsigned count = 0;
    for (size_t i = 0; i < r->property_count; i++)
        count += arm->findings[i].verdict == verdict && !r->properties[i]->informative;
    return count;
}

void hm_verify_print_counts(FILE *out, const struct hm_verify_report *r,
                            const struct hm_verified *arm) {
    fprintf(out, "%s: %u passed, %u deviate, %u failed, %u unsupported", arm->arm->label,
            count_of(r, arm, HM_CONFORM_PASSED), count_of(r, arm, HM_CONFORM_DEVIATES),
            count_of(r, arm, HM_CONFORM_FAILED), count_of(r, arm, HM_CONFORM_UNSUPPORTED));
    unsigned not_run = count_of(r, arm, HM_CONFORM_COULD_NOT_RUN);
    if (not_run)
        fprintf(out, ", %u could not run", not_run);
    fputc('\n', out);
}

static void print_all_counts(FILE *out, const struct hm_verify_report *r) {
    for (size_t a = 0; a < r->arm_count; a++)
        if (!is_missing(&r->arms[a]))
            hm_verify_print_counts(out, r, &r->arms[a]);
}

static void print_script(FILE *out, const struct hm_finding *f) {
    const char *line = f->script;
    if (f->property->shrink && !f->script_ops) {
        fputs("  it does not fail again when it is played for itself\n", out);
        return;
    }
    if (f->property->shrink)
        fprintf(out, "  shrunk to %u operations%s\n", f->script_ops,
                *line ? ":" : ", too many to be printed");
    for (; *line; line += strcspn(line, "\n") + 1)
        fprintf(out, "    %.*s\n", (int)strcspn(line, "\n"), line);
}

/* One entry, with all properties that came upon it. */
static void print_deviation(FILE *out, const struct hm_verify_report *r,
                            const struct hm_verified *arm, unsigned entry) {
    const struct hm_deviation *d = NULL;
    const char *version = "";
    char names[400] = "";
    char text[1000];
    for (size_t i = 0; i < r->property_count; i++) {
        const struct hm_finding *f = &arm->findings[i];
        if (!(f->deviated & 1u << entry))
            continue;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, ", %s", f->property->name);
        d = &f->deviations[entry];
        version = f->version;
    }
    if (!d)
        return;
    int column = fprintf(out, "deviates: %s%s:", arm->arm->label, names);
    snprintf(text, sizeof text, "%s (version %s; %s)", d->what, version, d->source);
    print_wrapped(out, column, text);
}

static void print_deviations(FILE *out, const struct hm_verify_report *r) {
    for (size_t a = 0; a < r->arm_count; a++) {
        const struct hm_verified *arm = &r->arms[a];
        const struct hm_deviation *all =
            is_missing(arm) || !r->property_count ? NULL : arm->findings[0].deviations;
        for (unsigned i = 0; all && all[i].fault; i++)
            print_deviation(out, r, arm, i);
    }
}

static bool same_reason(const struct hm_finding *f, const struct hm_finding *other) {
    return f->verdict == HM_CONFORM_UNSUPPORTED && other->verdict == f->verdict &&
           strcmp(f->line, other->line) == 0;
}

/* Whether an arm or property before this one was told with the same reason. */
static bool was_told(const struct hm_verify_report *r, size_t arm, size_t property) {
    const struct hm_finding *f = &r->arms[arm].findings[property];
    for (size_t a = 0; a <= arm; a++)
        for (size_t i = 0; !is_missing(&r->arms[a]) && i < r->property_count; i++)
            if ((a < arm || i < property) && same_reason(&r->arms[a].findings[i], f))
                return true;
    return false;
}

/* One reason, with the properties that have it; of all arms. */
static void print_reason(FILE *out, const struct hm_verify_report *r, const struct hm_finding *f) {
    int column = fprintf(out, "unsupported:");
    char text[sizeof f->line + 1000] = "";
    for (size_t i = 0; i < r->property_count; i++) {
        bool any = false;
        for (size_t a = 0; !any && a < r->arm_count; a++)
            any = !is_missing(&r->arms[a]) && same_reason(&r->arms[a].findings[i], f);
        size_t used = strlen(text);
        if (any)
            snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "",
                     r->properties[i]->name);
    }
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", f->line);
    print_wrapped(out, column, text);
}

static void print_reasons(FILE *out, const struct hm_verify_report *r) {
    for (size_t a = 0; a < r->arm_count; a++)
        for (size_t i = 0; !is_missing(&r->arms[a]) && i < r->property_count; i++)
            if (r->arms[a].findings[i].verdict == HM_CONFORM_UNSUPPORTED && !was_told(r, a, i))
                print_reason(out, r, &r->arms[a].findings[i]);
}

static void print_failures(FILE *out, const struct hm_verify_report *r) {
    for (size_t a = 0; a < r->arm_count; a++) {
        const struct hm_verified *arm = &r->arms[a];
        if (is_missing(arm)) {
            fprintf(out, "missing: %s\n", arm->arm->missing);
            continue;
        }
        for (size_t i = 0; i < r->property_count; i++) {
            const struct hm_finding *f = &arm->findings[i];
            if (f->verdict != HM_CONFORM_FAILED)
                continue;
            print_wrapped(out, fprintf(out, "failed: %s, %s:", arm->arm->label, f->property->name),
                          f->line);
            print_script(out, f);
        }
    }
}

void hm_verify_print_table(FILE *out, const struct hm_verify_report *r) {
    for (size_t first = 0; first < r->arm_count;) {
        size_t count = columns_that_fit(r, first);
        print_columns(out, r, first, count);
        first += count;
    }
    print_all_counts(out, r);
    print_rates(out, r);
    print_reasons(out, r);
    print_deviations(out, r);
    print_failures(out, r);
}

static json_t *script_json(const char *script) {
    json_t *lines = json_array();
    for (; *script; script += strcspn(script, "\n") + 1)
        json_array_append_new(lines, json_stringn(script, strcspn(script, "\n")));
    return lines;
}

static json_t *deviations_json(const struct hm_finding *f) {
    json_t *seen = json_array();
    for (unsigned i = 0; f->deviations && f->deviations[i].fault; i++)
        if (f->deviated & 1u << i)
            json_array_append_new(seen, json_pack("{s:s, s:s, s:s}", "what", f->deviations[i].what,
                                                  "source", f->deviations[i].source, "version",
                                                  f->version));
    return seen;
}

static json_t *finding_json(const struct hm_finding *f) {
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s}", "property", f->property->name, "demands",
                  f->property->summary, "verdict", hm_conform_word(f->verdict), "line", f->line);
    if (f->deviated)
        json_object_set_new(json, "deviations", deviations_json(f));
    if (f->script_ops)
        json_object_set_new(json, "script", script_json(f->script));
    if (rate_of(f) > 0) {
        json_object_set_new(json, "ops", json_integer((json_int_t)(f->ops - f->refused)));
        json_object_set_new(json, "ops_per_second", json_real(rate_of(f)));
    }
    return json;
}

static json_t *arm_json(const struct hm_verify_report *r, const struct hm_verified *arm) {
    json_t *findings = json_array();
    for (size_t i = 0; !is_missing(arm) && i < r->property_count; i++)
        json_array_append_new(findings, finding_json(&arm->findings[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "allocator", arm->arm->label, "library",
                     arm->arm->library, "build_id", arm->arm->build_id, "missing",
                     arm->arm->missing, "properties", findings);
}

void hm_verify_print_json(FILE *out, const struct hm_verify_report *r) {
    json_t *arms = json_array();
    for (size_t a = 0; a < r->arm_count; a++)
        json_array_append_new(arms, arm_json(r, &r->arms[a]));
    json_t *json = json_pack("{s:I, s:I, s:o}", "ops", (json_int_t)r->ops, "seed",
                             (json_int_t)r->seed, "allocators", arms);
    json_dumpf(json, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(json);
}

bool hm_verify_any_failed(const struct hm_verify_report *r) {
    for (size_t a = 0; a < r->arm_count; a++)
        for (size_t i = 0; !is_missing(&r->arms[a]) && i < r->property_count; i++)
            if (r->arms[a].findings[i].verdict == HM_CONFORM_FAILED)
                return true;
    return false;
}
