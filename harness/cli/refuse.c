/* How a subcommand refuses an option. */
#include "harness/cli/refuse.h"

#include "harness/plan/registry.h"

#include <errno.h>
#include <string.h>

enum {
    OPTIONS_MAX = 64,
};

int hm_refuse_option(const char *command, const char *letters, const struct option *options,
                     const char *word, struct hm_error *error) {
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (; count < OPTIONS_MAX && options[count].name; count++)
        names[count] = options[count].name;
    const char *near = strncmp(word, "--", 2) == 0 ? hm_nearest(word + 2, names, count) : NULL;
    if ((strlen(word) == 2 && strchr(letters, word[1])) || (near && strcmp(near, word + 2) == 0))
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    if (near)
        return hm_fail(error, EINVAL, "unknown option '%s'; did you mean '--%s'?", word, near);
    return hm_fail(error, EINVAL, "unknown option '%s'; see 'heapmark %s --help'", word, command);
}
