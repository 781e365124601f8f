/* Specs: parsing and printing. */
#include "harness/plan/spec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int hm_number_parse(const char *text, int64_t kilo, int64_t *out) {
    char *end;
    if (!isdigit((unsigned char)text[0]) && text[0] != '-')
        return EINVAL;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno || end == text)
        return errno ? ERANGE : EINVAL;
    int powers = 0;
    if (*end) {
        const char *found = strchr("KMG", toupper((unsigned char)*end));
        if (!found || end[1])
            return EINVAL;
        powers = (int)(found - "KMG") + 1;
    }
    for (; powers > 0; powers--)
        if (__builtin_mul_overflow(value, kilo, &value))
            return ERANGE;
    *out = value;
    return 0;
}

/* The index of a word in "a|b|c", or -1. */
static int64_t choice_index(const char *choices, const char *word) {
    size_t length = strlen(word);
    int64_t index = 0;
    for (const char *at = choices; at; index++) {
        const char *bar = strchr(at, '|');
        size_t span = bar ? (size_t)(bar - at) : strlen(at);
        if (span == length && memcmp(at, word, span) == 0)
            return index;
        at = bar ? bar + 1 : NULL;
    }
    return -1;
}

static void choice_word(const char *choices, int64_t index, char *out, size_t size) {
    while (index-- > 0 && choices)
        choices = strchr(choices, '|') ? strchr(choices, '|') + 1 : NULL;
    snprintf(out, size, "%.*s", choices ? (int)strcspn(choices, "|") : 0, choices ? choices : "");
}

static int parse_value(const char *part, const struct hm_param *param, char *text,
                       struct hm_value *out, struct hm_error *error) {
    if (param->kind == HM_PARAM_TEXT) {
        out->text = text;
        return 0;
    }
    if (param->kind == HM_PARAM_CHOICE) {
        out->number = choice_index(param->choices, text);
        return out->number >= 0 ? 0
                                : hm_fail(error, EINVAL, "%s: %s=%s: must be one of %s", part,
                                          param->name, text, param->choices);
    }
    int64_t kilo = param->kind == HM_PARAM_BYTES ? 1024 : 1000;
    int bad = hm_number_parse(text, kilo, &out->number);
    if (bad == EINVAL)
        return hm_fail(error, EINVAL, "%s: %s=%s: not a whole number (K, M, G may follow)", part,
                       param->name, text);
    if (bad || out->number < param->min || out->number > param->max)
        return hm_fail(error, EINVAL, "%s: %s=%s: out of range, from %" PRId64 " to %" PRId64 " %s",
                       part, param->name, text, param->min, param->max, param->unit);
    return 0;
}

static int unknown_param(const char *part, const struct hm_param *table, const char *key,
                         struct hm_error *error) {
    const char *names[HM_SPEC_PARAMS] = {NULL};
    size_t count = 0;
    char known[256] = "";
    for (; table && table[count].name && count < HM_SPEC_PARAMS; count++) {
        names[count] = table[count].name;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", count ? ", " : "", names[count]);
    }
    const char *near = hm_nearest(key, names, count);
    if (!count)
        return hm_fail(error, EINVAL, "%s: unknown parameter '%s': it has none", part, key);
    if (near)
        return hm_fail(error, EINVAL, "%s: unknown parameter '%s'; did you mean '%s'?", part, key,
                       near);
    return hm_fail(error, EINVAL, "%s: unknown parameter '%s': it has %s", part, key, known);
}

/* Parse "key=value:key=value" (or NULL) into a value for each entry of the table. */
static int parse_params(const char *part, const struct hm_param *table, const char *text,
                        struct hm_params *out, struct hm_error *error) {
    bool given[HM_SPEC_PARAMS] = {false};
    for (size_t i = 0; table && table[i].name; i++)
        out->values[i] = (struct hm_value){table[i].initial, ""};
    snprintf(out->store, sizeof out->store, "%s", text ? text : "");
    char *rest = text ? out->store : NULL;
    while (rest) {
        char *pair = strsep(&rest, ":");
        char *value = strchr(pair, '=');
        if (!value || value == pair || !value[1])
            return hm_fail(error, EINVAL, "%s: '%s' is not of the form key=value", part, pair);
        *value++ = '\0';
        size_t i = 0;
        while (table && table[i].name && strcmp(table[i].name, pair) != 0)
            i++;
        if (!table || !table[i].name)
            return unknown_param(part, table, pair, error);
        if (given[i])
            return hm_fail(error, EINVAL, "%s: parameter '%s' is given twice", part, pair);
        given[i] = true;
        int bad = parse_value(part, &table[i], value, &out->values[i], error);
        if (bad)
            return bad;
    }
    return 0;
}

static int unknown_part(const char *kind, const char *name, struct hm_error *error) {
    const char *names[128];
    size_t count = hm_part_names(kind, names, 128);
    const char *near = hm_nearest(name, names, count);
    if (near)
        return hm_fail(error, EINVAL, "unknown %s '%s'; did you mean '%s'?", kind, name, near);
    return hm_fail(error, EINVAL, "unknown %s '%s'; 'heapmark list %ss' names them", kind, name,
                   kind);
}

/* Split "name:rest" in place; returns the rest or NULL. */
static char *split_name(char *text) {
    char *colon = strchr(text, ':');
    if (colon)
        *colon++ = '\0';
    return colon;
}

static int copy_text(const char *kind, const char *text, char *out, struct hm_error *error) {
    if (!*text)
        return hm_fail(error, EINVAL, "%s %s's name is empty", *kind == 'a' ? "an" : "a", kind);
    if (strlen(text) >= HM_SPEC_BYTES)
        return hm_fail(error, EINVAL, "the %s '%.40s...' is longer than %d bytes", kind, text,
                       HM_SPEC_BYTES - 1);
    for (const char *at = text; *at; at++)
        if (!isgraph((unsigned char)*at) || strchr("\"'`\\,", *at))
            return hm_fail(error, EINVAL, "the %s '%s' has a character that no spec can hold", kind,
                           text);
    snprintf(out, HM_SPEC_BYTES, "%s", text);
    return 0;
}

int hm_allocator_spec_parse(const char *text, struct hm_allocator_spec *out,
                            struct hm_error *error) {
    char copy[HM_SPEC_BYTES];
    int bad = copy_text("allocator", text, copy, error);
    if (bad)
        return bad;
    *out = (struct hm_allocator_spec){.count = 0};
    snprintf(out->text, sizeof out->text, "%s", text);
    for (char *rest = copy, *one; (one = strsep(&rest, "+"));) {
        char *params = split_name(one);
        const struct hm_allocator *part = hm_allocator_find(one);
        if (!part)
            return unknown_part("allocator", one, error);
        if (out->count == HM_SPEC_LAYERS)
            return hm_fail(error, EINVAL, "'%s' stacks more than %d allocators", text,
                           HM_SPEC_LAYERS);
        bool last = !rest;
        if (!last && !(part->caps & HM_CAP_LAYER))
            return hm_fail(error, EINVAL, "'%s': %s is not a layer and must come last", text, one);
        out->parts[out->count] = part;
        bad = parse_params(one, part->params, params, &out->params[out->count], error);
        if (bad)
            return bad;
        const char *conflict =
            part->conflict ? part->conflict(out->params[out->count].values) : NULL;
        if (conflict)
            return hm_fail(error, EINVAL, "%s: %s", one, conflict);
        out->count++;
    }
    return 0;
}

const struct hm_allocator *hm_allocator_spec_alone(const struct hm_allocator_spec *spec) {
    for (unsigned i = 0; i < spec->count; i++) {
        const struct hm_allocator *part = spec->parts[i];
        if (!(part->caps & HM_CAP_THREADS) || (part->alone && part->alone(spec->params[i].values)))
            return part;
        if (spec->parts[i]->caps & HM_CAP_LOCKS)
            return NULL;
    }
    return NULL;
}

const char *hm_allocator_alone_why(const struct hm_allocator *alone) {
    return alone->caps & HM_CAP_THREADS ? " with these parameters" : "";
}

/* Whether a parameter of a part, a choice, has this word. */
static bool has_word(const struct hm_param *table, const struct hm_params *params, const char *name,
                     const char *word) {
    char chosen[HM_SPEC_BYTES];
    for (size_t i = 0; table && table[i].name; i++) {
        if (table[i].kind != HM_PARAM_CHOICE || strcmp(table[i].name, name) != 0)
            continue;
        choice_word(table[i].choices, params->values[i].number, chosen, sizeof chosen);
        return strcmp(chosen, word) == 0;
    }
    return false;
}

bool hm_allocator_spec_shared(const struct hm_allocator_spec *spec) {
    const struct hm_allocator *part = spec->parts[0];
    return spec->count == 1 && (part->caps & HM_CAP_SHARED) &&
           has_word(part->params, &spec->params[0], "backing", "shared") &&
           !has_word(part->params, &spec->params[0], "lock", "none");
}

/* Whether "key=" chooses among a collector's variants. */
static bool chooses_variant(const struct hm_collector *part, const char *setting) {
    size_t count, length = strcspn(setting, "=") + 1;
    const struct hm_collector *const *all = hm_collectors(&count);
    for (size_t i = 0; i < count; i++)
        if (all[i]->variant_of && strcmp(all[i]->variant_of, part->name) == 0 &&
            strncmp(all[i]->variant, setting, length) == 0)
            return true;
    return false;
}

/* A parameter may choose what is compiled into the workloads; its first choice is the
 * collector itself. */
static int resolve_variant(const struct hm_collector **part, const struct hm_params *params,
                           struct hm_error *error) {
    const struct hm_collector *plain = *part;
    char setting[HM_SPEC_BYTES];
    for (size_t i = 0; plain->params && plain->params[i].name; i++) {
        const struct hm_param *p = &plain->params[i];
        if (p->kind != HM_PARAM_CHOICE || params->values[i].number == 0)
            continue;
        int used = snprintf(setting, sizeof setting, "%s=", p->name);
        choice_word(p->choices, params->values[i].number, setting + used,
                    sizeof setting - (size_t)used);
        const struct hm_collector *variant = hm_collector_variant(plain, setting);
        if (!variant && chooses_variant(plain, setting))
            return hm_fail(error, EINVAL, "%s: %s is not in this build", plain->name, setting);
        if (variant)
            *part = variant;
    }
    return 0;
}

int hm_collector_spec_parse(const char *text, struct hm_collector_spec *out,
                            struct hm_error *error) {
    char copy[HM_SPEC_BYTES];
    int bad = copy_text("collector", text, copy, error);
    if (bad)
        return bad;
    char *params = split_name(copy);
    *out = (struct hm_collector_spec){.part = hm_collector_find(copy)};
    snprintf(out->text, sizeof out->text, "%s", text);
    if (!out->part && hm_allocator_is_path(copy))
        return hm_fail(error, EINVAL,
                       "%s: a collector's plug-in can be played on (sim) and checked (verify), but "
                       "not measured: workloads are compiled for each collector",
                       copy);
    if (!out->part)
        return unknown_part("collector", copy, error);
    bad = parse_params(copy, out->part->params, params, &out->params, error);
    if (!bad)
        bad = resolve_variant(&out->part, &out->params, error);
    return bad;
}

int hm_workload_spec_parse(const char *text, struct hm_workload_spec *out, struct hm_error *error) {
    char copy[HM_SPEC_BYTES];
    int bad = copy_text("workload", text, copy, error);
    if (bad)
        return bad;
    char *params = split_name(copy);
    *out = (struct hm_workload_spec){.part = hm_workload_find(copy)};
    snprintf(out->text, sizeof out->text, "%s", text);
    if (!out->part)
        return unknown_part("workload", copy, error);
    bad = parse_params(copy, out->part->params, params, &out->params, error);
    if (bad || !out->part->conflict)
        return bad;
    const char *conflict = out->part->conflict(out->params.values);
    return conflict ? hm_fail(error, EINVAL, "%s: %s", copy, conflict) : 0;
}

void hm_params_format(const struct hm_param *table, const struct hm_params *params, char *out,
                      size_t size) {
    snprintf(out, size, "-");
    size_t used = 0;
    for (size_t i = 0; table && table[i].name; i++) {
        char value[HM_SPEC_BYTES];
        if (table[i].kind == HM_PARAM_TEXT)
            snprintf(value, sizeof value, "%s", params->values[i].text);
        else if (table[i].kind == HM_PARAM_CHOICE)
            choice_word(table[i].choices, params->values[i].number, value, sizeof value);
        else
            snprintf(value, sizeof value, "%" PRId64, params->values[i].number);
        int wrote =
            snprintf(out + used, size - used, "%s%s=%s", i ? ":" : "", table[i].name, value);
        if (wrote < 0 || (size_t)wrote >= size - used)
            return;
        used += (size_t)wrote;
    }
}

static const char *const threadings[] = {
    [HM_ISOLATED] = "isolated", [HM_GIL] = "gil", [HM_FREE] = "free"};

const char *hm_threading_name(enum hm_threading threading) {
    return threadings[threading];
}

int hm_threading_parse(const char *name, enum hm_threading *out) {
    for (size_t i = 0; i < sizeof threadings / sizeof *threadings; i++)
        if (strcmp(name, threadings[i]) == 0) {
            *out = (enum hm_threading)i;
            return 0;
        }
    return EINVAL;
}
