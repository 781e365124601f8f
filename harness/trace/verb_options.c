/* Values of the verbs' options. */
#include "harness/trace/verb_options.h"
#include "harness/plan/spec.h"

#include <errno.h>
#include <string.h>

int hm_verb_take_choice(const char *name, const char *value, const char *const *words, size_t count,
                        int *out, struct hm_error *error) {
    char list[128] = "";
    if (!value)
        return 0;
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
    return hm_fail(error, EINVAL, "%s=%s: must be %s", name, value, list);
}

int hm_verb_take_count(const char *name, const char *value, int64_t least, int64_t most,
                       uint64_t *out, struct hm_error *error) {
    int64_t number;
    if (!value)
        return 0;
    if (hm_number_parse(value, 1000, &number) || number < least || number > most)
        return hm_fail(error, EINVAL, "%s=%s: must be a whole number, %lld to %lld", name, value,
                       (long long)least, (long long)most);
    *out = (uint64_t)number;
    return 0;
}
