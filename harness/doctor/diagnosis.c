/* The answer of `heapmark doctor`. */
#include "harness/doctor/diagnosis.h"

#include "harness/doctor/installed.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

enum {
    PAGE_WIDTH = 80,
    INDENT = 18, /* where what was read begins */
};

static void add(struct hm_diagnosis *d, const struct hm_finding *f) {
    assert(d->count < HM_FINDINGS_MAX);
    d->findings[d->count++] = *f;
    d->fit = d->fit && f->fitness != HM_FIT_BAD;
}

struct hm_diagnosis hm_diagnose(const struct hm_machine_state *now,
                                const struct hm_machine_state *earlier,
                                const struct hm_noise_floor *noise) {
    struct hm_diagnosis d = {.fit = true, .noise = noise};
    struct hm_finding f;
    for (size_t i = 0; i < hm_check_count(); i++) {
        if (hm_check_is_of_run(i))
            continue;
        hm_check_judge(i, now, earlier, 0, &f);
        add(&d, &f);
    }
    hm_noise_judge(noise, &f);
    add(&d, &f);
    return d;
}

/* ---- For people ---- */

/* Words of a text in lines of the page's width, from a column on: the first line is there already. */
static void show_wrapped(FILE *out, const char *text) {
    int column = INDENT;
    for (const char *word = text; *word; word += strspn(word, " ")) {
        int length = (int)strcspn(word, " ");
        if (column > INDENT && column + 1 + length > PAGE_WIDTH)
            column = fprintf(out, "\n%*s", INDENT, "") - 1;
        column += fprintf(out, "%s%.*s", column > INDENT ? " " : "", length, word);
        word += length;
    }
    fputc('\n', out);
}

static void show_indented(FILE *out, const char *label, const char *text) {
    char line[512];
    snprintf(line, sizeof line, "%s%s", label, text);
    fprintf(out, "%*s", INDENT, "");
    show_wrapped(out, line);
}

static void show_finding(FILE *out, const struct hm_finding *f) {
    fprintf(out, "%-8s%-10s%s\n", hm_fitness_name(f->fitness), f->name, f->read);
    if (f->fitness < HM_FIT_WARN)
        return;
    show_indented(out, "", f->effect);
    show_indented(out, "mend ", f->mend);
}

static const char *share(double relative, char room[16]) {
    if (!isfinite(relative))
        return isnan(relative) ? "NA" : "none";
    snprintf(room, 16, "%.1f %%", relative * 100);
    return room;
}

static void show_noise(FILE *out, const struct hm_noise_floor *n) {
    char room[16];
    char other[16];
    fprintf(out,
            "\nNoise: two equal arms of %s, %u rounds, %.3g ns/op\n"
            "ratio %.4f [%.4f, %.4f]; in half of the rounds they are %s or more apart\n\n"
            "differences that 9 of 10 runs tell, for one comparison:\n"
            "rounds     margin %.0f %%     no margin\n",
            n->cell, n->rounds, n->time_ns, n->paired.ratio, n->paired.low, n->paired.high,
            share(n->spread, room), n->margins[0] * 100);
    for (size_t s = 0; s < HM_NOISE_SIZES; s++)
        fprintf(out, "%6u     %10s    %10s\n", n->sizes[s], share(n->told[s][0], room),
                share(n->told[s][1], other));
}

/* What is installed goes into one line for each kind, and what is missing into one of its own. */
struct shelf {
    FILE *out;
    const char *kind;
    char there[512];
};

static void show_shelf(struct shelf *s) {
    if (s->there[0]) {
        fprintf(s->out, "%-18s", s->kind);
        show_wrapped(s->out, s->there);
    }
    s->there[0] = '\0';
}

static void take_there(void *arg, const struct hm_installed *one) {
    struct shelf *s = arg;
    if (s->kind && strcmp(s->kind, one->kind) != 0)
        show_shelf(s);
    s->kind = one->kind;
    size_t used = strlen(s->there);
    if (one->path[0])
        snprintf(s->there + used, sizeof s->there - used, "%s%s", used ? " " : "", one->name);
}

static void show_missing(void *arg, const struct hm_installed *one) {
    if (!one->path[0])
        fprintf(arg, "%-18s%s is missing%s%s: %s\n", one->kind, one->name,
                one->purpose[0] ? ", for " : "", one->purpose,
                one->package ? one->package : "not built, or not installed");
}

static void show_installed(FILE *out) {
    struct shelf shelf = {.out = out};
    fputs("\nInstalled:\n", out);
    hm_installed_look(take_there, &shelf);
    show_shelf(&shelf);
    hm_installed_look(show_missing, out);
}

void hm_diagnosis_show(FILE *out, const struct hm_diagnosis *d) {
    size_t counts[4] = {0};
    for (size_t i = 0; i < d->count; i++) {
        show_finding(out, &d->findings[i]);
        counts[d->findings[i].fitness]++;
    }
    if (d->noise)
        show_noise(out, d->noise);
    if (!d->is_copy)
        show_installed(out);
    fprintf(out, "\n%s: %zu good, %zu warn, %zu bad, %zu unknown\n",
            d->fit ? "Fit to measure on" : "Not fit to measure on", counts[HM_FIT_GOOD],
            counts[HM_FIT_WARN], counts[HM_FIT_BAD], counts[HM_FIT_UNKNOWN]);
}

/* ---- For programs ---- */

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *finding_json(const struct hm_finding *f) {
    return json_pack("{s:s, s:o, s:s, s:s, s:s}", "name", f->name, "read",
                     strcmp(f->read, "NA") == 0 ? json_null() : json_string(f->read), "verdict",
                     hm_fitness_name(f->fitness), "effect", f->effect, "mend", f->mend);
}

static json_t *noise_json(const struct hm_noise_floor *n) {
    if (!n)
        return json_null();
    json_t *told = json_array();
    for (size_t s = 0; s < HM_NOISE_SIZES; s++)
        for (size_t m = 0; m < HM_NOISE_MARGINS; m++)
            json_array_append_new(told,
                                  json_pack("{s:i, s:f, s:o}", "rounds", (int)n->sizes[s], "margin",
                                            n->margins[m], "difference", number(n->told[s][m])));
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "cell", n->cell, "rounds",
                     (int)n->rounds, "time_ns", number(n->time_ns), "ratio",
                     number(n->paired.ratio), "ratio_low", number(n->paired.low), "ratio_high",
                     number(n->paired.high), "spread", number(n->spread), "told", told);
}

static void append_installed(void *arg, const struct hm_installed *one) {
    json_t *path = one->path[0] ? json_string(one->path) : NULL;
    json_t *package = one->package ? json_string(one->package) : json_null();
    json_array_append_new(arg,
                          json_pack("{s:s, s:s, s:o, s:o}", "kind", one->kind, "name", one->name,
                                    "path", path ? path : json_null(), "package", package));
}

int hm_diagnosis_write(FILE *out, const struct hm_diagnosis *d) {
    json_t *findings = json_array();
    json_t *installed = json_array();
    for (size_t i = 0; i < d->count; i++)
        json_array_append_new(findings, finding_json(&d->findings[i]));
    if (!d->is_copy)
        hm_installed_look(append_installed, installed);
    json_t *json = json_pack("{s:b, s:o, s:o, s:o}", "fit", d->fit, "checks", findings, "noise",
                             noise_json(d->noise), "installed", installed);
    int bad = !json || json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) ? ENOMEM : 0;
    json_decref(json);
    fputc('\n', out);
    return bad;
}
