/* What the user asked for: setting single keys. */
#include "harness/plan/request.h"

#include "harness/plan/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void hm_request_init(struct hm_request *request) {
    *request = (struct hm_request){.seed = 1};
}

void hm_matrix_free(struct hm_matrix *matrix) {
    free(matrix->name);
    free(matrix->allocators);
    free(matrix->collectors);
    free(matrix->workloads);
    free(matrix->threads);
    free(matrix->sweep);
    *matrix = (struct hm_matrix){.name = NULL};
}

void hm_request_free(struct hm_request *request) {
    for (unsigned i = 0; i < request->matrix_count; i++)
        hm_matrix_free(&request->matrices[i]);
    for (unsigned i = 0; i < request->config_count; i++) {
        struct hm_config *c = &request->configs[i];
        free(c->kind);
        free(c->name);
        free(c->use);
        for (unsigned e = 0; e < c->env_count; e++)
            free(c->env[e]);
    }
    free(request->mode);
    free(request->pin);
    free(request->threading);
    free(request->metrics);
    free(request->margin);
    free(request->baseline);
    hm_request_init(request);
}

static int replace(char **field, const char *value) {
    char *copy = strdup(value);
    if (!copy)
        return ENOMEM;
    free(*field);
    *field = copy;
    return 0;
}

/* @return the list of that name, or NULL */
static char **list_of(struct hm_matrix *matrix, const char *key) {
    const struct {
        const char *key;
        char **list;
    } lists[] = {{"allocators", &matrix->allocators},
                 {"collectors", &matrix->collectors},
                 {"workloads", &matrix->workloads},
                 {"threads", &matrix->threads},
                 {"sweep", &matrix->sweep}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(lists[i].key, key) == 0)
            return lists[i].list;
    return NULL;
}

int hm_matrix_set(struct hm_matrix *matrix, const char *key, const char *value) {
    char **list = list_of(matrix, key);
    return list ? replace(list, value) : ENOENT;
}

int hm_matrix_extend(struct hm_matrix *matrix, const char *key, const char *value) {
    char **list = list_of(matrix, key);
    if (!list || !*list)
        return hm_matrix_set(matrix, key, value);
    bool sweep = list == &matrix->sweep; /* its commas are between values */
    size_t length = strlen(*list);
    while (!sweep && length > 0 &&
           strchr(", \t", (*list)[length - 1])) /* a list that says it goes on */
        length--;
    char *joined = NULL;
    if (asprintf(&joined, "%.*s%s %s", (int)length, *list, sweep ? "" : ",", value) < 0)
        return ENOMEM;
    free(*list);
    *list = joined;
    return 0;
}

const struct hm_config *hm_request_config(const struct hm_request *request, const char *kind,
                                          const char *item, char *use, size_t size) {
    size_t name = strcspn(item, ":");
    snprintf(use, size, "%s", item);
    for (unsigned i = 0; i < request->config_count; i++) {
        const struct hm_config *c = &request->configs[i];
        if (strcmp(c->kind, kind) != 0 || strlen(c->name) != name ||
            strncmp(c->name, item, name) != 0)
            continue;
        snprintf(use, size, "%s%s", c->use, item + name);
        return c;
    }
    return NULL;
}

static int set_rounds(struct hm_request *request, const char *value, struct hm_error *error) {
    int64_t n = 0;
    bool by_itself = strcmp(value, "auto") == 0;
    if (!by_itself && (hm_number_parse(value, 1000, &n) || n < 1 || n > 10000))
        return hm_fail(error, EINVAL, "rounds=%s: must be a whole number from 1 to 10000, or auto",
                       value);
    request->auto_rounds = by_itself;
    request->rounds = (unsigned)n;
    return 0;
}

/* @return the seconds of "s", "m" or "h", or 0 */
static double unit_s(const char *unit) {
    return strcmp(unit, "s") == 0   ? 1
           : strcmp(unit, "m") == 0 ? 60
           : strcmp(unit, "h") == 0 ? 3600
                                    : 0;
}

static int set_budget(struct hm_request *request, const char *value, struct hm_error *error) {
    char *end;
    double number = strtod(value, &end);
    double seconds = end > value && isdigit((unsigned char)value[0]) ? number * unit_s(end) : 0;
    if (!(seconds >= 1) || !(seconds <= 1000 * 3600.0))
        return hm_fail(error, EINVAL,
                       "budget=%s: must be a time from 1s to 1000h, such as 90s, 10m or 2h", value);
    request->budget_s = seconds;
    return 0;
}

static int set_seed(struct hm_request *request, const char *value, struct hm_error *error) {
    int64_t n;
    if (hm_number_parse(value, 1000, &n) || n < 0)
        return hm_fail(error, EINVAL, "seed=%s: must be a whole number from 0 to 2^63-1", value);
    request->seed = (uint64_t)n;
    return 0;
}

static int set_rate(struct hm_request *request, const char *value, struct hm_error *error) {
    int64_t n;
    if (hm_number_parse(value, 1000, &n) || n < 0 || n > 1000000000)
        return hm_fail(error, EINVAL,
                       "rate=%s: must be calls per second of each thread, from 0 to 1000M", value);
    request->rate = (uint64_t)n;
    return 0;
}

static int set_timeout(struct hm_request *request, const char *value, struct hm_error *error) {
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds >= 0.1) || !(seconds <= 86400))
        return hm_fail(error, EINVAL, "timeout=%s: must be seconds from 0.1 to 86400", value);
    request->timeout_s = seconds;
    return 0;
}

static int set_turns(struct hm_request *request, const char *value, struct hm_error *error) {
    char *end;
    double ms = strtod(value, &end);
    bool off = strcmp(value, "off") == 0;
    if (!off && (end == value || *end || !(ms >= 0.1) || !(ms <= 10000)))
        return hm_fail(error, EINVAL, "turns=%s: must be milliseconds from 0.1 to 10000, or off",
                       value);
    request->turn_ms = off ? -1 : ms;
    return 0;
}

static int set_word(char **field, const char *key, const char *value, const char *const *words,
                    struct hm_error *error) {
    char known[128] = "";
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0)
            return replace(field, value);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", words[i]);
    }
    return hm_fail(error, EINVAL, "%s=%s: must be one of %s", key, value, known);
}

static int set_answer(bool *field, const char *key, const char *value, struct hm_error *error) {
    static const char *const answers[] = {"yes", "no", NULL};
    char *answer = NULL;
    int bad = set_word(&answer, key, value, answers, error);
    if (!bad)
        *field = strcmp(answer, "yes") == 0;
    free(answer);
    return bad;
}

int hm_request_set(struct hm_request *request, const char *key, const char *value,
                   struct hm_error *error) {
    static const char *const modes[] = {"quick", "default", "rigorous", NULL};
    static const char *const pins[] = {"core", "smt", "spread", "none", NULL};
    static const char *const threadings[] = {"isolated", "gil", "free", NULL};
    if (strcmp(key, "rounds") == 0)
        return set_rounds(request, value, error);
    if (strcmp(key, "budget") == 0)
        return set_budget(request, value, error);
    if (strcmp(key, "seed") == 0)
        return set_seed(request, value, error);
    if (strcmp(key, "rate") == 0)
        return set_rate(request, value, error);
    if (strcmp(key, "timeout") == 0)
        return set_timeout(request, value, error);
    if (strcmp(key, "turns") == 0)
        return set_turns(request, value, error);
    if (strcmp(key, "mode") == 0)
        return set_word(&request->mode, key, value, modes, error);
    if (strcmp(key, "pin") == 0)
        return set_word(&request->pin, key, value, pins, error);
    if (strcmp(key, "threading") == 0)
        return set_word(&request->threading, key, value, threadings, error);
    if (strcmp(key, "metrics") == 0)
        return replace(&request->metrics, value);
    if (strcmp(key, "margin") == 0)
        return replace(&request->margin, value);
    if (strcmp(key, "baseline") == 0)
        return replace(&request->baseline, value);
    if (strcmp(key, "optional") == 0)
        return set_answer(&request->optional, key, value, error);
    if (strcmp(key, "floor") == 0) {
        bool wanted = true;
        int bad = set_answer(&wanted, key, value, error);
        request->no_floor = !wanted;
        return bad;
    }
    return ENOENT;
}
