/* The environment of a measured program. */
#include "harness/exec/environment.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAD_MAX = 4096,
    OWN = 4, /* variables of ours */
};

/* What loads another allocator, or tunes one: an arm says so itself, with `env`. */
static bool is_dropped(const char *variable) {
    static const char *const prefixes[] = {
        "LD_PRELOAD=", "LD_AUDIT=",  "LD_BIND_NO", "LD_PROFILE", "GLIBC_TUNABLES=", "MALLOC_",
        "JE_MALLOC_",  "_RJEM_",     "MIMALLOC_",  "TCMALLOC_",  "TBB_MALLOC_",     "SCUDO_",
        "HEAPPROFILE", "HEAPCHECK=", "HEAPMARK_",  "HM_PAD="};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

void hm_environment_dropped(char *const *inherited, char *out, size_t size) {
    size_t used = 0;
    out[0] = '\0';
    for (char *const *v = inherited; *v; v++)
        if (is_dropped(*v) && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%.*s", used ? ", " : "",
                                     (int)strcspn(*v, "="), *v);
}

static bool same_name(const char *a, const char *b) {
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

/* A later variable of the same name takes the place of an earlier one. @return false: no memory */
static bool put(char **env, size_t *count, char *variable) {
    if (!variable)
        return false;
    for (size_t i = 0; i < *count; i++)
        if (same_name(variable, env[i])) {
            free(env[i]);
            env[i] = variable;
            return true;
        }
    env[(*count)++] = variable;
    return true;
}

__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...) {
    va_list args;
    char *out;
    va_start(args, format);
    int length = vasprintf(&out, format, args);
    va_end(args);
    return length < 0 ? NULL : out;
}

char **hm_environment_build(char *const *inherited, const struct hm_program *program,
                            const struct hm_arm *arm, const char *system, const char *witness,
                            const char *witness_file, uint64_t salt) {
    size_t count = 0;
    size_t room = program->env_count + (arm ? arm->env_count : 0) + OWN;
    for (char *const *v = inherited; *v; v++)
        room++;
    char **env = calloc(room, sizeof *env);
    bool good = env;
    for (char *const *v = inherited; good && *v; v++)
        if (!is_dropped(*v))
            good = put(env, &count, strdup(*v));
    for (unsigned i = 0; good && i < program->env_count; i++)
        good = put(env, &count, strdup(program->env[i]));
    for (unsigned i = 0; good && arm && i < arm->env_count; i++)
        good = put(env, &count, strdup(arm->env[i]));
    if (good && arm)
        good = put(env, &count,
                   text("LD_PRELOAD=%s:%s", witness, arm->library[0] ? arm->library : system)) &&
               put(env, &count, text("HEAPMARK_WITNESS=%s", witness_file)) &&
               put(env, &count, text("HM_PAD=%0*d", (int)(salt % PAD_MAX) + 1, 0));
    if (good)
        return env;
    for (size_t i = 0; i < count; i++)
        free(env[i]);
    free(env);
    return NULL;
}
