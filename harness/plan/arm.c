/* Resolves one allocator of a matrix. */
#include "harness/plan/arm.h"

#include "harness/machine/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct hm_config *find_config(const struct hm_request *request, const char *name) {
    for (unsigned i = 0; i < request->config_count; i++)
        if (strcmp(request->configs[i].kind, "allocator") == 0 &&
            strcmp(request->configs[i].name, name) == 0)
            return &request->configs[i];
    return NULL;
}

static bool is_library(const char *text) {
    return strchr(text, '/') || strstr(text, ".so");
}

/* The library is checked here and now, so that a wrong one is told before anything is measured. */
static int take_library(struct hm_arm *out, const char *path, struct hm_error *error) {
    struct hm_elf elf;
    int bad = hm_elf_inspect(path, &elf, error);
    if (bad)
        return EINVAL;
    snprintf(out->library, sizeof out->library, "%s", elf.realpath);
    snprintf(out->build_id, sizeof out->build_id, "%s", elf.build_id);
    return 0;
}

/* A library that is no part is called like the system's allocator, with the library in its place.
 */
static int resolve_path(const char *text, struct hm_arm *out, struct hm_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", text);
    if (!strchr(text, '/') && hm_library_find(text, path, sizeof path))
        return hm_fail(error, EINVAL, "no library '%s' in the system's library folders", text);
    int bad = take_library(out, path, error);
    return bad ? bad : hm_allocator_spec_parse("system", &out->spec, error);
}

static int resolve_part(const char *text, const struct hm_request *request, struct hm_arm *out,
                        struct hm_error *error) {
    int bad = hm_allocator_spec_parse(text, &out->spec, error);
    if (bad)
        return bad;
    const struct hm_allocator *base = out->spec.parts[out->spec.count - 1];
    out->control = (base->caps & HM_CAP_CONTROL) != 0;
    if (!base->library)
        return 0;
    char path[PATH_MAX];
    if (hm_library_find(base->library, path, sizeof path) == 0)
        return take_library(out, path, error);
    snprintf(out->missing, sizeof out->missing, "%s is not installed: package %s has %s",
             base->name, base->package, base->library);
    return request->optional ? 0 : hm_fail(error, EINVAL, "%s", out->missing);
}

int hm_arm_resolve(const char *text, const struct hm_request *request, struct hm_arm *out,
                   struct hm_error *error) {
    const struct hm_config *config = find_config(request, text);
    const char *use = config ? config->use : text;
    int bad =
        is_library(use) ? resolve_path(use, out, error) : resolve_part(use, request, out, error);
    if (bad)
        return bad;
    const char *slash = strrchr(text, '/');
    snprintf(out->label, sizeof out->label, "%s", slash ? slash + 1 : text);
    out->env_count = config ? config->env_count : 0;
    if (!out->env_count)
        return 0;
    out->env = calloc(out->env_count, sizeof *out->env);
    for (unsigned i = 0; out->env && i < out->env_count; i++)
        out->env[i] = strdup(config->env[i]);
    return out->env ? 0 : hm_fail(error, ENOMEM, "out of memory");
}
