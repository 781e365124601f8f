/* Holds run.json and the cells of two runs against each other. */
#include "harness/compare/fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE = 480,
    TEXT = 120,
};

struct check {
    struct hm_side *base, *fresh;
    hm_misfit_fn *tell;
    void *arg;
    size_t found;
};

static void tell(struct check *c, const char *line) {
    c->tell(c->arg, line);
    c->found++;
}

/* A value as people read it. */
static void print(const json_t *value, char *out, size_t size) {
    const char *text = json_string_value(value);
    char *dumped = text ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(out, size, "%s", text ? text : dumped ? dumped : "not known");
    free(dumped);
}

static void differs(struct check *c, const char *what, const json_t *base, const json_t *fresh) {
    char line[LINE];
    char texts[2][TEXT];
    print(base, texts[0], TEXT);
    print(fresh, texts[1], TEXT);
    snprintf(line, sizeof line, "%s is %s in BASE and %s in NEW", what, texts[0], texts[1]);
    tell(c, line);
}

static const json_t *value_of(const struct hm_side *side, const char *object, const char *key) {
    return json_object_get(object ? json_object_get(side->run, object) : side->run, key);
}

static bool same(const json_t *base, const json_t *fresh) {
    bool none = (!base || json_is_null(base)) && (!fresh || json_is_null(fresh));
    return none || json_equal(base, fresh);
}

/* Options that older runs have no word of were at their default then, which is 0 or "isolated". */
static bool same_fact(const json_t *base, const json_t *fresh) {
    const json_t *only = base ? base : fresh;
    if (base && fresh)
        return same(base, fresh);
    return same(base, fresh) || (json_is_number(only) && json_number_value(only) == 0) ||
           (json_is_string(only) && strcmp(json_string_value(only), "isolated") == 0);
}

static const struct fact {
    const char *object, *key, *what;
} facts[] = {
    {NULL, "schema", "the version of the tables"},
    {"build", "version", "the version of heapmark, and so perhaps what a metric means,"},
    {"build", "type", "the build of heapmark"},
    {"build", "sanitize", "the sanitizer"},
    {"build", "compiler", "the compiler of heapmark"},
    {"machine", "cpu_model", "the processor"},
    {"machine", "architecture", "the architecture"},
    {"machine", "cores", "the number of cores"},
    {"machine", "pus", "the number of CPUs"},
    {"machine", "glibc", "the C library"},
    {NULL, "seed", "the seed of the operations"},
    {NULL, "rate", "the rate of calls (--rate)"},
    {NULL, "turn_ms", "the length of turns (--turns)"},
    {NULL, "threading", "how collectors take threads (--threading)"},
    {NULL, "pin", "the pinning"},
};

/* The kernel's series is the first two numbers of its release: what comes after are repairs. */
static void check_kernel(struct check *c) {
    const char *kernels[] = {hm_side_text(c->base, "machine", "kernel"),
                             hm_side_text(c->fresh, "machine", "kernel")};
    size_t lengths[2];
    for (int i = 0; i < 2; i++) {
        const char *dot = strchr(kernels[i], '.');
        lengths[i] =
            dot ? (size_t)(dot - kernels[i]) + 1 + strcspn(dot + 1, ".-+") : strlen(kernels[i]);
    }
    if (lengths[0] != lengths[1] || strncmp(kernels[0], kernels[1], lengths[0]) != 0)
        differs(c, "the kernel", value_of(c->base, "machine", "kernel"),
                value_of(c->fresh, "machine", "kernel"));
}

/* Cells of one name do the same work; the defaults of parameters may have changed. */
static void check_params(struct check *c) {
    char line[LINE];
    const char *told = "";
    for (size_t i = 0; i < c->base->count; i++) {
        const struct hm_side_cell *base = &c->base->cells[i];
        const struct hm_side_cell *fresh = hm_side_find(c->fresh, base->id);
        if (!fresh || strcmp(base->params, fresh->params) == 0 || strcmp(told, base->params) == 0)
            continue;
        snprintf(line, sizeof line, "workload %.60s has %.120s in BASE and %.120s in NEW",
                 base->workload, base->params, fresh->params);
        told = base->params;
        tell(c, line);
    }
}

/* How a group was measured; NULL: not known. */
static const json_t *slices_of(const struct hm_side *side, const json_t *group) {
    size_t i;
    json_t *one;
    json_array_foreach(
        json_object_get(side->run, "groups"), i,
        one) if (same(json_object_get(one, "workload"), json_object_get(group, "workload")) &&
                 same(json_object_get(one, "threads"),
                      json_object_get(group, "threads"))) return json_object_get(one, "slices");
    return NULL;
}

/* Not every group takes turns in a run that does. */
static void check_turns(struct check *c) {
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(c->base->run, "groups"), i, group) {
        char line[LINE];
        const char *label = json_string_value(json_object_get(group, "workload"));
        const json_t *base = json_object_get(group, "slices");
        const json_t *fresh = slices_of(c->fresh, group);
        if (!label || !base || !fresh || !json_integer_value(base) == !json_integer_value(fresh))
            continue;
        snprintf(line, sizeof line, "workload %.100s takes turns in %s only", label,
                 json_integer_value(base) ? "BASE" : "NEW");
        tell(c, line);
    }
}

static const json_t *program_of(const struct hm_side *side, const char *label) {
    size_t i;
    json_t *workload;
    json_array_foreach(json_object_get(side->run, "workloads"), i, workload) {
        const char *text = json_string_value(json_object_get(workload, "label"));
        if (text && strcmp(text, label) == 0)
            return json_object_get(workload, "program");
    }
    return NULL;
}

static void check_programs(struct check *c) {
    size_t i;
    json_t *workload;
    json_array_foreach(json_object_get(c->base->run, "workloads"), i, workload) {
        char line[LINE];
        const char *label = json_string_value(json_object_get(workload, "label"));
        const json_t *fresh = label ? program_of(c->fresh, label) : NULL;
        if (!fresh || same(json_object_get(workload, "program"), fresh))
            continue;
        snprintf(line, sizeof line, "program %.100s is another command in NEW", label);
        tell(c, line);
    }
}

size_t hm_fit_check(struct hm_side *base, struct hm_side *fresh, hm_misfit_fn *tell_of, void *arg) {
    struct check c = {base, fresh, tell_of, arg, 0};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const json_t *was = value_of(base, facts[i].object, facts[i].key);
        const json_t *is = value_of(fresh, facts[i].object, facts[i].key);
        if (!same_fact(was, is))
            differs(&c, facts[i].what, was, is);
    }
    check_kernel(&c);
    check_params(&c);
    check_turns(&c);
    check_programs(&c);
    return c.found;
}

static const char *file_name(const json_t *image) {
    const char *path = json_string_value(json_object_get(image, "path"));
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : "";
}

/* Whether the runs know a file of that name, and all of theirs are other builds. */
static bool is_other_build(const struct hm_side *side, const json_t *image) {
    size_t i;
    json_t *one;
    bool found = false;
    json_array_foreach(json_object_get(side->run, "images"), i, one) {
        if (strcmp(file_name(one), file_name(image)) != 0)
            continue;
        if (same(json_object_get(one, "id"), json_object_get(image, "id")))
            return false;
        found = true;
    }
    return found;
}

/* Programs and libraries that were mapped under one name, and are not the same. */
static void note_images(struct check *c) {
    char line[LINE] = "other builds in NEW:";
    size_t i;
    json_t *image;
    size_t count = 0;
    json_array_foreach(json_object_get(c->fresh->run, "images"), i, image) {
        size_t used = strlen(line);
        if (!is_other_build(c->base, image))
            continue;
        snprintf(line + used, sizeof line - used, "%s %.60s", count++ ? "," : "", file_name(image));
    }
    if (count)
        tell(c, line);
}

static void note_state(struct check *c, const struct hm_side *side) {
    char line[LINE];
    const char *state = hm_side_text(side, NULL, "state");
    if (strcmp(state, "finished") != 0) {
        snprintf(line, sizeof line, "%s is not a finished run, but %.40s", side->name,
                 *state ? state : "of unknown state");
        tell(c, line);
    }
    const char *doubt = hm_side_text(side, NULL, "doubt");
    if (*doubt) {
        snprintf(line, sizeof line, "%s is doubted by its own run: %.300s", side->name, doubt);
        tell(c, line);
    }
}

void hm_fit_notes(struct hm_side *base, struct hm_side *fresh, hm_misfit_fn *tell_of, void *arg) {
    struct check c = {base, fresh, tell_of, arg, 0};
    const char *run = hm_side_text(base, NULL, "run");
    if (*run && strcmp(run, hm_side_text(fresh, NULL, "run")) == 0)
        tell(&c, "BASE and NEW are the same run");
    note_state(&c, base);
    note_state(&c, fresh);
    note_images(&c);
    if (!same(value_of(base, NULL, "mode"), value_of(fresh, NULL, "mode")))
        differs(&c, "the mode, and so how much work a process does,", value_of(base, NULL, "mode"),
                value_of(fresh, NULL, "mode"));
}
