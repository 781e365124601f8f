/* Job files: INI, read by inih.
 *
 *   [run]               rounds, budget, mode, pin, threading, metrics, margin, baseline, seed,
 *                       timeout, rate, turns, optional, floor;
 *                       and the keys of a matrix, when the file has only one
 *   [matrix NAME]       allocators, collectors, workloads, threads, sweep
 *   [allocator NAME]    use = SPEC or PATH; env = NAME=VALUE (may be repeated)
 *   [collector NAME]    use = SPEC
 *   [workload NAME]     use = SPEC */
#include "harness/plan/registry.h"
#include "harness/plan/request.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct hm_request *request;
    struct hm_error *error; /* the first error's line, without place */
    bool failed;
};

static bool name_is_valid(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return length >= 1 && length <= 64;
}

static int find_matrix(struct hm_request *request, const char *name, struct hm_matrix **out,
                       struct hm_error *error) {
    for (unsigned i = 0; i < request->matrix_count; i++)
        if (strcmp(request->matrices[i].name, name) == 0) {
            *out = &request->matrices[i];
            return 0;
        }
    if (request->matrix_count == HM_REQUEST_MATRICES)
        return hm_fail(error, EINVAL, "more than %d matrices", HM_REQUEST_MATRICES);
    struct hm_matrix *fresh = &request->matrices[request->matrix_count];
    *fresh = (struct hm_matrix){.name = strdup(name)};
    if (!fresh->name)
        return hm_fail(error, ENOMEM, "out of memory");
    request->matrix_count++;
    *out = fresh;
    return 0;
}

static int find_config(struct hm_request *request, const char *kind, const char *name,
                       struct hm_config **out, struct hm_error *error) {
    for (unsigned i = 0; i < request->config_count; i++) {
        struct hm_config *c = &request->configs[i];
        if (strcmp(c->kind, kind) == 0 && strcmp(c->name, name) == 0) {
            *out = c;
            return 0;
        }
    }
    if (!name_is_valid(name))
        return hm_fail(error, EINVAL, "the %s name '%s' must be 1 to 64 of A-Z a-z 0-9 . _ -", kind,
                       name);
    if (request->config_count == HM_REQUEST_CONFIGS)
        return hm_fail(error, EINVAL, "more than %d configurations", HM_REQUEST_CONFIGS);
    struct hm_config *fresh = &request->configs[request->config_count];
    *fresh = (struct hm_config){.kind = strdup(kind), .name = strdup(name)};
    request->config_count++;
    *out = fresh;
    return fresh->kind && fresh->name ? 0 : hm_fail(error, ENOMEM, "out of memory");
}

static int add_env(struct hm_config *config, const char *value, struct hm_error *error) {
    size_t name = strcspn(value, "=");
    if (name == 0 || value[name] != '=')
        return hm_fail(error, EINVAL, "env = %s: is not of the form NAME=VALUE", value);
    if (strncmp(value, "LD_", 3) == 0)
        return hm_fail(error, EINVAL, "env = %s: a library is named by 'use', not by LD_ variables",
                       value);
    if (config->env_count == HM_CONFIG_ENV)
        return hm_fail(error, EINVAL, "more than %d env lines", HM_CONFIG_ENV);
    char *copy = strdup(value);
    if (!copy)
        return hm_fail(error, ENOMEM, "out of memory");
    config->env[config->env_count++] = copy;
    return 0;
}

static int set_config(struct hm_request *request, const char *kind, const char *name,
                      const char *key, const char *value, struct hm_error *error) {
    struct hm_config *config = NULL;
    int bad = find_config(request, kind, name, &config, error);
    if (bad)
        return bad;
    if (strcmp(key, "env") == 0 && strcmp(kind, "allocator") == 0)
        return add_env(config, value, error);
    if (strcmp(key, "use") != 0)
        return hm_fail(error, EINVAL, "unknown key '%s' in [%s %s]; it takes use%s", key, kind,
                       name, strcmp(kind, "allocator") == 0 ? " and env" : "");
    if (config->use)
        return hm_fail(error, EINVAL, "'use' is given twice in [%s %s]", kind, name);
    config->use = strdup(value);
    return config->use ? 0 : hm_fail(error, ENOMEM, "out of memory");
}

static int set_in_matrix(struct hm_request *request, const char *name, const char *key,
                         const char *value, struct hm_error *error) {
    struct hm_matrix *matrix = NULL;
    int bad = find_matrix(request, name, &matrix, error);
    if (!bad)
        bad = hm_matrix_extend(matrix, key, value);
    if (bad == ENOENT)
        return hm_fail(
            error, EINVAL,
            "unknown key '%s'; a matrix takes allocators, collectors, workloads, threads, sweep",
            key);
    return bad;
}

static int set_in_run(struct hm_request *request, const char *key, const char *value,
                      struct hm_error *error) {
    int bad = hm_request_set(request, key, value, error);
    if (bad != ENOENT)
        return bad;
    struct hm_matrix probe = {0};
    bad = hm_matrix_set(&probe, key, value);
    hm_matrix_free(&probe);
    if (bad == ENOENT)
        return hm_fail(error, EINVAL, "unknown key '%s' in [run]", key);
    return set_in_matrix(request, "run", key, value, error);
}

static int handle(struct reader *r, const char *section, const char *key, const char *value) {
    static const char *const kinds[] = {"allocator", "collector", "workload"};
    const char *space = strchr(section, ' ');
    if (!*value)
        return hm_fail(r->error, EINVAL, "'%s' has no value", key);
    if (strcmp(section, "run") == 0)
        return set_in_run(r->request, key, value, r->error);
    if (space && strncmp(section, "matrix ", 7) == 0)
        return set_in_matrix(r->request, space + 1, key, value, r->error);
    for (size_t i = 0; space && i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i]) == (size_t)(space - section) &&
            strncmp(section, kinds[i], strlen(kinds[i])) == 0)
            return set_config(r->request, kinds[i], space + 1, key, value, r->error);
    return hm_fail(r->error, EINVAL,
                   "unknown section [%s]; there are [run], [matrix NAME], [allocator NAME], "
                   "[collector NAME] and [workload NAME]",
                   section);
}

/* inih calls this for each pair; 0 means an error, and the first one is kept. */
static int on_pair(void *arg, const char *section, const char *key, const char *value) {
    struct reader *r = arg;
    if (r->failed)
        return 0;
    r->failed = handle(r, section, key, value) != 0;
    return !r->failed;
}

int hm_job_read(struct hm_request *request, const char *path, struct hm_error *error) {
    struct hm_error first = {""};
    struct reader reader = {.request = request, .error = &first};
    int line = ini_parse(path, on_pair, &reader);
    if (line == -1)
        return hm_fail(error, ENOENT, "%s: %s", path, strerror(errno));
    if (line != 0)
        return hm_fail(error, EINVAL, "%s:%d: %s", path, line,
                       reader.failed ? first.line : "neither a [section] nor a key = value");
    for (unsigned i = 0; i < request->config_count; i++)
        if (!request->configs[i].use)
            return hm_fail(error, EINVAL, "%s: [%s %s] does not say what to use", path,
                           request->configs[i].kind, request->configs[i].name);
    return 0;
}
