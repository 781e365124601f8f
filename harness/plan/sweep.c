/* Sweeps: parsing, and the arms that they make. */
#include "harness/plan/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"allocator", "collector", "workload"};

/* Where a key and its value stand in the text. */
struct pair {
    const char *key, *value, *end;
    bool list; /* its value has commas */
};

/* A sweep that is being parsed. */
struct parse {
    const char *text;
    const struct hm_request *request;
    struct hm_sweep *out;
    struct hm_error *error;
    struct pair pairs[HM_SWEEP_KEYS]; /* of the swept keys */
};

static int out_of_memory(const struct parse *p) {
    return hm_fail(p->error, ENOMEM, "out of memory for the sweep '%.80s'", p->text);
}

static int bad_form(const struct parse *p) {
    return hm_fail(p->error, EINVAL, "sweep '%.200s': is not of the form PART:KEY=VALUE,VALUE,..",
                   p->text);
}

/* ---- What is swept ---- */

static bool is_known(const struct hm_request *request, const char *kind, const char *name) {
    char use[2 * HM_SPEC_BYTES];
    return hm_request_config(request, kind, name, use, sizeof use) ||
           (*kind == 'a'   ? hm_allocator_find(name) || hm_allocator_is_path(name)
            : *kind == 'c' ? hm_collector_find(name) != NULL
                           : hm_workload_find(name) != NULL);
}

static int unknown_part(const struct parse *p, const char *name) {
    const char *names[512];
    size_t count = 0;
    for (unsigned i = 0; i < p->request->config_count; i++)
        names[count++] = p->request->configs[i].name;
    for (size_t k = 0; k < 3; k++)
        count += hm_part_names(kinds[k], names + count, 128);
    const char *near = hm_nearest(name, names, count);
    if (near)
        return hm_fail(p->error, EINVAL, "sweep: unknown part '%s'; did you mean '%s'?", name,
                       near);
    return hm_fail(p->error, EINVAL, "sweep: unknown part '%.80s'; 'heapmark list' names them",
                   name);
}

static int find_kind(const struct parse *p) {
    char name[HM_SPEC_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(p->text, ":+"), p->text);
    if (!name[0])
        return bad_form(p);
    for (size_t k = 0; k < 3; k++) {
        if (!is_known(p->request, kinds[k], name))
            continue;
        if (p->out->kind)
            return hm_fail(p->error, EINVAL, "sweep: '%s' is both %s and %s", name, p->out->kind,
                           kinds[k]);
        p->out->kind = kinds[k];
    }
    return p->out->kind ? 0 : unknown_part(p, name);
}

/* ---- Which keys, and their values ---- */

/* @return 0 with *end at what follows the pair, or EINVAL */
static int read_pair(const char *key, struct pair *out) {
    const char *value = key + strcspn(key, "=:+");
    if (value == key || *value != '=')
        return EINVAL;
    out->key = key;
    out->value = value + 1;
    out->end = out->value + strcspn(out->value, ":+");
    out->list = memchr(out->value, ',', (size_t)(out->end - out->value)) != NULL;
    return 0;
}

static int find_pairs(struct parse *p) {
    struct pair last = {.key = NULL};
    for (const char *at = strchr(p->text, ':'); at; at = strchr(at, ':')) {
        if (read_pair(at + 1, &last))
            return bad_form(p);
        at = last.end;
        if (!last.list)
            continue;
        if (p->out->key_count == HM_SWEEP_KEYS)
            return hm_fail(p->error, EINVAL, "sweep '%.200s': more than %d keys have a list",
                           p->text, HM_SWEEP_KEYS);
        p->pairs[p->out->key_count++] = last;
    }
    if (!last.key)
        return bad_form(p);
    if (p->out->key_count == 0)
        p->pairs[p->out->key_count++] = last;
    return 0;
}

static const struct hm_param *param_in(const struct hm_param *table, const char *name) {
    for (; table && table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

/* The part that a pair belongs to: the one that its text stands behind, or what a configuration has last.
 * @return the parameter, or NULL: of a plug-in, or unknown, which the making of the arm will tell */
static const struct hm_param *param_of(const struct parse *p, const struct pair *pair,
                                       const char *name) {
    char before[HM_SPEC_BYTES];
    char use[2 * HM_SPEC_BYTES];
    int length = (int)(pair->key - p->text) - 1;
    snprintf(before, sizeof before, "%.*s", length, p->text);
    hm_request_config(p->request, p->out->kind, before, use, sizeof use);
    char *plus = strrchr(use, '+');
    char *part = plus ? plus + 1 : use;
    part[strcspn(part, ":")] = '\0';
    if (*p->out->kind == 'a') {
        const struct hm_allocator *allocator = hm_allocator_find(part);
        return allocator ? param_in(allocator->params, name) : NULL;
    }
    if (*p->out->kind == 'c') {
        const struct hm_collector *collector = hm_collector_find(part);
        return collector ? param_in(collector->params, name) : NULL;
    }
    const struct hm_workload *workload = hm_workload_find(part);
    return workload ? param_in(workload->params, name) : NULL;
}

static void read_number(const struct hm_param *param, struct hm_sweep_value *value) {
    int64_t kilo = param && param->kind == HM_PARAM_COUNT ? 1000 : 1024;
    bool numeric = !param || param->kind == HM_PARAM_COUNT || param->kind == HM_PARAM_BYTES;
    value->is_number = numeric && hm_number_parse(value->text, kilo, &value->number) == 0;
}

/* A number as a spec would have it, with the largest suffix that leaves it whole. */
static char *number_text(int64_t number, int64_t kilo) {
    char *text;
    size_t power = 0;
    for (; number && number % kilo == 0 && power < 3; power++)
        number /= kilo;
    return asprintf(&text, "%lld%.1s", (long long)number, &"\0KMG"[power]) < 0 ? NULL : text;
}

/* What a parameter is when nobody sets it. 0 and -1 stand for something else, as a rule. */
static int read_initial(const struct parse *p, const struct hm_param *param,
                        struct hm_sweep_value *out) {
    if (!param || param->kind == HM_PARAM_TEXT ||
        (param->kind != HM_PARAM_CHOICE && param->initial <= 0))
        return 0;
    const char *word = param->choices;
    for (int64_t i = 0; param->kind == HM_PARAM_CHOICE && i < param->initial; i++)
        word += strcspn(word, "|") + 1;
    out->text = param->kind == HM_PARAM_CHOICE
                    ? strndup(word, strcspn(word, "|"))
                    : number_text(param->initial, param->kind == HM_PARAM_COUNT ? 1000 : 1024);
    if (!out->text)
        return out_of_memory(p);
    read_number(param, out);
    return 0;
}

static bool is_initial(const struct hm_param *param, const struct hm_sweep_value *initial,
                       const struct hm_sweep_value *value) {
    return value->is_number ? param && value->number == param->initial
                            : initial->text && strcmp(initial->text, value->text) == 0;
}

static int check_doubled(const struct parse *p, const struct hm_sweep_key *key) {
    const struct hm_sweep_value *last = &key->values[key->count - 1];
    for (const struct hm_sweep_value *v = key->values; v < last; v++)
        if (strcmp(v->text, last->text) == 0)
            return hm_fail(p->error, EINVAL, "sweep: %s=%s is given twice", key->name, last->text);
        else if (v->is_number && last->is_number && v->number == last->number)
            return hm_fail(p->error, EINVAL, "sweep: %s=%s and %s=%s are the same", key->name,
                           v->text, key->name, last->text);
    return 0;
}

static int read_key(const struct parse *p, const struct pair *pair, struct hm_sweep_key *key) {
    key->name = strndup(pair->key, (size_t)(pair->value - 1 - pair->key));
    size_t most = 1;
    for (const char *c = pair->value; c < pair->end; c++)
        most += *c == ',';
    key->values = calloc(most, sizeof *key->values);
    if (!key->name || !key->values)
        return out_of_memory(p);
    const struct hm_param *param = param_of(p, pair, key->name);
    if (read_initial(p, param, &key->initial))
        return ENOMEM;
    for (const char *at = pair->value; at <= pair->end; at++) {
        struct hm_sweep_value *value = &key->values[key->count++];
        size_t length = strcspn(at, ",:+");
        value->text = strndup(at, length);
        if (!value->text)
            return out_of_memory(p);
        if (!length)
            return hm_fail(p->error, EINVAL, "sweep '%.200s': the list of '%s' has an empty value",
                           p->text, key->name);
        read_number(param, value);
        value->initial = is_initial(param, &key->initial, value);
        int bad = check_doubled(p, key);
        if (bad)
            return bad;
        at += length;
    }
    return 0;
}

/* ---- The arms ---- */

/* The text with a value in the place of each list; without the swept keys when there are no values. */
static char *label_of(const struct parse *p, const struct hm_sweep_value *const *values) {
    char *label = NULL;
    size_t size;
    FILE *out = open_memstream(&label, &size);
    const char *at = p->text;
    for (size_t k = 0; out && k < p->out->key_count; k++) {
        const struct pair *pair = &p->pairs[k];
        const char *stop = values ? pair->value : pair->key - 1;
        fprintf(out, "%.*s%s", (int)(stop - at), at, values ? values[k]->text : "");
        at = pair->end;
    }
    if (!out)
        return NULL;
    fputs(at, out);
    return fclose(out) ? NULL : label;
}

static bool is_workload(const struct hm_sweep *sweep) {
    return *sweep->kind == 'w';
}

/* @param combination counts through all values, those of the last key fastest */
static int make_arm(const struct parse *p, struct hm_sweep_arm *arm, size_t combination) {
    const struct hm_sweep *s = p->out;
    arm->unswept = true;
    for (size_t k = s->key_count; k-- > 0; combination /= s->keys[k].count) {
        arm->values[k] = &s->keys[k].values[combination % s->keys[k].count];
        arm->unswept &= arm->values[k]->initial;
    }
    arm->label = arm->unswept && !is_workload(s) ? strdup(s->unswept) : label_of(p, arm->values);
    if (!arm->label)
        return out_of_memory(p);
    return strlen(arm->label) < HM_SPEC_BYTES
               ? 0
               : hm_fail(p->error, EINVAL, "sweep '%.80s...': an arm is longer than %d bytes",
                         p->text, HM_SPEC_BYTES - 1);
}

static int count_combinations(const struct parse *p, size_t *combinations) {
    *combinations = 1;
    for (size_t k = 0; k < p->out->key_count; k++) {
        size_t values = p->out->keys[k].count;
        if (values > HM_SWEEP_ARMS || (*combinations *= values) > HM_SWEEP_ARMS)
            return hm_fail(p->error, EINVAL, "sweep '%.80s...': makes more than %d arms", p->text,
                           HM_SWEEP_ARMS);
    }
    return 0;
}

/* The unswept part stands first. One combination at most is its. */
static int put_unswept_first(const struct parse *p) {
    struct hm_sweep *s = p->out;
    struct hm_sweep_arm first = {.unswept = true};
    if (s->key_count == 1 && s->keys[0].initial.text)
        first.values[0] = &s->keys[0].initial;
    size_t at = 0;
    while (at < s->arm_count && !s->arms[at].unswept)
        at++;
    if (at < s->arm_count)
        first = s->arms[at];
    else if (!(first.label = strdup(s->unswept)))
        return out_of_memory(p);
    else
        s->arm_count++;
    memmove(s->arms + 1, s->arms, at * sizeof *s->arms);
    s->arms[0] = first;
    return 0;
}

static int make_arms(struct parse *p) {
    struct hm_sweep *s = p->out;
    size_t combinations;
    int bad = count_combinations(p, &combinations);
    if (bad)
        return bad;
    s->arms = calloc(combinations + 1, sizeof *s->arms);
    s->unswept = label_of(p, NULL);
    if (!s->arms || !s->unswept)
        return out_of_memory(p);
    for (size_t i = 0; !bad && i < combinations; i++)
        bad = make_arm(p, &s->arms[s->arm_count++], i);
    return bad || is_workload(s) ? bad : put_unswept_first(p);
}

int hm_sweep_parse(const char *text, const struct hm_request *request, struct hm_sweep **out,
                   struct hm_error *error) {
    struct parse p = {
        .text = text, .request = request, .error = error, .out = calloc(1, sizeof *p.out)};
    if (!p.out)
        return out_of_memory(&p);
    p.out->text = strdup(text);
    int bad = p.out->text ? find_kind(&p) : out_of_memory(&p);
    if (!bad)
        bad = find_pairs(&p);
    for (size_t k = 0; !bad && k < p.out->key_count; k++)
        bad = read_key(&p, &p.pairs[k], &p.out->keys[k]);
    if (!bad)
        bad = make_arms(&p);
    if (bad)
        hm_sweep_free(p.out);
    else
        *out = p.out;
    return bad;
}

void hm_sweep_free(struct hm_sweep *sweep) {
    for (size_t i = 0; i < sweep->arm_count; i++)
        free(sweep->arms[i].label);
    for (size_t k = 0; k < HM_SWEEP_KEYS; k++) {
        for (size_t v = 0; v < sweep->keys[k].count; v++)
            free(sweep->keys[k].values[v].text);
        free(sweep->keys[k].values);
        free(sweep->keys[k].initial.text);
        free(sweep->keys[k].name);
    }
    free(sweep->arms);
    free(sweep->unswept);
    free(sweep->text);
    free(sweep);
}
