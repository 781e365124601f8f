/* The words behind a verb of `heapmark trace`. */
#include "harness/trace/arguments.h"

#include "harness/cli/command.h"
#include "harness/plan/registry.h"

#include <string.h>

enum {
    OPTIONS_MAX = 32,
};

/* @return where the value goes; with "=" in the word, *value is behind it */
static const struct hm_trace_argument *find(const struct hm_trace_argument *all, const char *word,
                                            const char **value) {
    for (; all->value; all++) {
        size_t length = all->name ? strlen(all->name) : 0;
        if (!length || strncmp(word, all->name, length) != 0)
            continue;
        *value = word[length] == '=' && length > 2 ? word + length + 1 : NULL;
        if (!word[length] || *value)
            return all;
    }
    return NULL;
}

static int unknown(const struct hm_trace_argument *all, const char *verb, const char *word,
                   struct hm_error *error) {
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (; all->value && count < OPTIONS_MAX; all++)
        if (all->name)
            names[count++] = all->name;
    const char *near = hm_nearest(word, names, count);
    if (near)
        return hm_fail(error, EINVAL, "unknown option '%s'; did you mean '%s'?", word, near);
    return hm_fail(error, EINVAL, "unknown option '%s'; see 'heapmark trace %s --help'", word,
                   verb);
}

static int take_file(const struct hm_trace_argument *all, const char *word,
                     struct hm_error *error) {
    while (all->name)
        all++;
    if (!all->value || *all->value)
        return hm_fail(error, EINVAL, "'%s' is one too many; there is one FILE", word);
    *all->value = word;
    return 0;
}

static int require_file(const struct hm_trace_argument *all, struct hm_error *error) {
    while (all->name)
        all++;
    return all->value && !*all->value ? hm_fail(error, EINVAL, "which FILE?") : 0;
}

int hm_trace_arguments(int argc, char **argv, const struct hm_trace_argument *arguments,
                       struct hm_error *error) {
    bool only_files = false;
    int bad = 0;
    for (int i = 1; !bad && i < argc; i++) {
        const char *value = NULL;
        if (only_files || argv[i][0] != '-' || !argv[i][1]) {
            bad = take_file(arguments, argv[i], error);
            continue;
        }
        only_files = strcmp(argv[i], "--") == 0;
        const struct hm_trace_argument *a = only_files ? NULL : find(arguments, argv[i], &value);
        if (only_files)
            continue;
        if (!a)
            return unknown(arguments, argv[0], argv[i], error);
        if (!value && ++i == argc)
            return hm_fail(error, EINVAL, "option '%s' needs a value", a->name);
        *a->value = value ? value : argv[i];
    }
    return bad ? bad : require_file(arguments, error);
}

int hm_trace_exit(const char *verb, int error_code, const struct hm_error *error) {
    if (!error_code && fflush(stdout) == 0 && !ferror(stdout))
        return HM_EXIT_OK;
    fprintf(stderr, "heapmark trace %s: %s\n", verb,
            error_code ? error->line : "can not write to stdout");
    return !error_code || error_code == ENOMEM ? HM_EXIT_FAILED : HM_EXIT_USAGE;
}
