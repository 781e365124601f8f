/* Options of the verbs of `heapmark trace`. */
#include "harness/trace/verb_options.h"
#include "harness/cli/command.h"
#include "harness/plan/registry.h"
#include "harness/plan/spec.h"

#include <errno.h>
#include <string.h>

enum {
    OPTIONS_MAX = 32,
};

int hm_verb_take_choice(const char *name, const char *value, const char *const *words, size_t count,
                        int *out, struct hm_error *error) {
    char list[128] = "";
    for (size_t i = 0; i < count; i++)
        if (strcmp(value, words[i]) == 0) {
            *out = (int)i;
            return 0;
        }
    for (size_t i = 0; i < count; i++) {
        strncat(list, words[i], sizeof list - strlen(list) - 1);
        strncat(list,
                i + 2 < count   ? ", "
                : i + 1 < count ? " or "
                                : "",
                sizeof list - strlen(list) - 1);
    }
    return hm_fail(error, EINVAL, "--%s=%s: must be %s", name, value, list);
}

int hm_verb_take_count(const char *name, const char *value, int64_t least, int64_t most,
                       uint64_t *out, struct hm_error *error) {
    int64_t number;
    if (hm_number_parse(value, 1000, &number) || number < least || number > most)
        return hm_fail(error, EINVAL, "--%s=%s: must be a whole number, %lld to %lld", name, value,
                       (long long)least, (long long)most);
    *out = (uint64_t)number;
    return 0;
}

int hm_verb_bad_option(const char *verb, const char *word, const struct option *options,
                       struct hm_error *error) {
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (; options[count].name && count < OPTIONS_MAX; count++)
        names[count] = options[count].name;
    const char *near = strncmp(word, "--", 2) == 0 ? hm_nearest(word + 2, names, count) : NULL;
    if (strcmp(word, "-o") == 0 || (near && strcmp(near, word + 2) == 0))
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    if (near)
        return hm_fail(error, EINVAL, "unknown option '%s'; did you mean '--%s'?", word, near);
    return hm_fail(error, EINVAL, "unknown option '%s'; see 'heapmark %s --help'", word, verb);
}

int hm_verb_take_file(int argc, char **argv, const char **path, struct hm_error *error) {
    if (optind >= argc)
        return hm_fail(error, EINVAL, "which trace? give its file");
    if (optind + 1 < argc)
        return hm_fail(error, EINVAL, "'%s' is one too many: one trace at a time",
                       argv[optind + 1]);
    *path = argv[optind];
    return 0;
}

int hm_verb_exit(int bad) {
    if (!bad)
        return HM_EXIT_OK;
    return bad == ENOMEM || bad == EIO || bad == ENOSPC ? HM_EXIT_FAILED : HM_EXIT_USAGE;
}
