/* Resolves one allocator of a matrix. */
#include "harness/plan/arm.h"

#include "harness/machine/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The stand-in for a plug-in, which only the measured child loads: it is not known what it can do. */
static const struct hm_allocator plugin = {
    .name = "plugin",
    .summary = "a library that exports hm_plugin",
    .caps = HM_CAP_THREADS,
};

/* A text that names a library: `layer+layer+PATH:key=value`. */
struct named {
    char layers[HM_SPEC_BYTES]; /* "layer+layer+", or "" */
    char path[PATH_MAX];
    char params[HM_SPEC_BYTES]; /* ":key=value", or "" */
};

/* A path may have + and : in it when it is all of the text; else the last + and the first : behind
 * it are the spec's. @return whether the text names a library */
static bool split_library(const char *text, struct named *out) {
    *out = (struct named){.path = ""};
    const char *plus = strrchr(text, '+');
    const char *base = plus && access(text, F_OK) ? plus + 1 : text;
    size_t name = access(text, F_OK) ? strcspn(base, ":") : strlen(base);
    snprintf(out->layers, sizeof out->layers, "%.*s", (int)(base - text), text);
    snprintf(out->path, sizeof out->path, "%.*s", (int)name, base);
    snprintf(out->params, sizeof out->params, "%s", base + name);
    return hm_allocator_is_path(out->path);
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

/* The parameters are the child's to check: only there is the plug-in loaded. */
static int take_plugin(const struct named *name, struct hm_arm *out, struct hm_error *error) {
    struct hm_allocator_spec *spec = &out->spec;
    out->plugin = true;
    spec->parts[spec->count - 1] = &plugin;
    if (strpbrk(out->library, "+:"))
        return hm_fail(error, EINVAL, "%s: a plug-in's path can not have + or : in it",
                       out->library);
    int length =
        snprintf(spec->text, sizeof spec->text, "%s%s%s", name->layers, out->library, name->params);
    return length < (int)sizeof spec->text
               ? 0
               : hm_fail(error, EINVAL, "%s: longer than %d bytes with its path", name->path,
                         HM_SPEC_BYTES - 1);
}

/* A library that is no part is called like the system's allocator, with the library in its place;
 * or it exports a part of its own. */
static int resolve_library(const char *text, const struct named *name, struct hm_arm *out,
                           struct hm_error *error) {
    char path[PATH_MAX];
    char spec[HM_SPEC_BYTES + sizeof "system"];
    snprintf(path, sizeof path, "%s", name->path);
    if (!strchr(path, '/') && hm_library_find(name->path, path, sizeof path))
        return hm_fail(error, EINVAL, "no library '%s' in the system's library folders", path);
    const char *slash = strrchr(name->path, '/');
    int length = snprintf(out->label, sizeof out->label, "%s%s%s", name->layers,
                          slash ? slash + 1 : name->path, name->params);
    if (length >= (int)sizeof out->label)
        return hm_fail(error, EINVAL, "the allocator '%.40s...' is longer than %d bytes", text,
                       HM_SPEC_BYTES - 1);
    snprintf(spec, sizeof spec, "%ssystem", name->layers);
    int bad = take_library(out, path, error);
    if (!bad)
        bad = hm_allocator_spec_parse(spec, &out->spec, error);
    if (!bad && hm_elf_exports(path, "hm_plugin"))
        return take_plugin(name, out, error);
    return !bad && name->params[0]
               ? hm_fail(error, EINVAL, "%s: has no parameters: it does not export hm_plugin", text)
               : bad;
}

static const char not_installed[] = "%s is not installed: package %s has %s";

/* A library that a part loads by itself only has to be there. */
static int resolve_part(const char *text, const struct hm_request *request, struct hm_arm *out,
                        struct hm_error *error) {
    int bad = hm_allocator_spec_parse(text, &out->spec, error);
    if (bad)
        return bad;
    snprintf(out->label, sizeof out->label, "%s", out->spec.text);
    const struct hm_allocator *base = out->spec.parts[out->spec.count - 1];
    const char *library = base->library ? base->library : base->needs;
    out->control = (base->caps & HM_CAP_CONTROL) != 0;
    if (!library)
        return 0;
    char path[PATH_MAX];
    if (hm_library_find(library, path, sizeof path) == 0)
        return base->library ? take_library(out, path, error) : 0;
    snprintf(out->missing, sizeof out->missing, not_installed, base->name, base->package, library);
    return request->optional ? 0 : hm_fail(error, EINVAL, "%s", out->missing);
}

int hm_collector_check(const struct hm_collector *collector, char *missing, size_t size) {
    char path[PATH_MAX];
    missing[0] = '\0';
    if (!collector->open)
        snprintf(missing, size, "%s is not in this build: package %s has its headers",
                 collector->name, collector->package);
    else if (collector->needs && hm_library_find(collector->needs, path, sizeof path))
        snprintf(missing, size, not_installed, collector->name, collector->package,
                 collector->needs);
    return missing[0] ? ENOENT : 0;
}

int hm_arm_resolve(const char *text, const struct hm_request *request, struct hm_arm *out,
                   struct hm_error *error) {
    char use[PATH_MAX + HM_SPEC_BYTES];
    const struct hm_config *config = hm_request_config(request, "allocator", text, use, sizeof use);
    struct named name;
    int bad = split_library(use, &name) ? resolve_library(use, &name, out, error)
                                        : resolve_part(use, request, out, error);
    if (bad)
        return bad;
    if (config)
        snprintf(out->label, sizeof out->label, "%s", text);
    out->env_count = config ? config->env_count : 0;
    if (!out->env_count)
        return 0;
    out->env = calloc(out->env_count, sizeof *out->env);
    for (unsigned i = 0; out->env && i < out->env_count; i++)
        out->env[i] = strdup(config->env[i]);
    return out->env ? 0 : hm_fail(error, ENOMEM, "out of memory");
}
