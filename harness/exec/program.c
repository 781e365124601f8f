/* Makes the programs of a run. */
#include "harness/exec/program.h"

#include "harness/exec/words.h"
#include "harness/machine/executable.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEXT_MAX = 400, /* bytes of a command as it is shown */
};

static bool name_is_valid(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return length >= 1 && length < HM_PROGRAM_NAME;
}

struct hm_program *hm_programs_add(struct hm_programs *programs, const char *name,
                                   struct hm_error *error) {
    if (!name_is_valid(name)) {
        hm_error_set(error, "the name '%.80s' must be 1 to %d of A-Z a-z 0-9 . _ -", name,
                     HM_PROGRAM_NAME - 1);
        return NULL;
    }
    for (size_t i = 0; i < programs->count; i++)
        if (strcmp(programs->at[i].name, name) == 0) {
            hm_error_set(error, "the program '%s' is given twice", name);
            return NULL;
        }
    struct hm_program *grown = realloc(programs->at, (programs->count + 1) * sizeof *programs->at);
    if (!grown) {
        hm_error_set(error, "out of memory");
        return NULL;
    }
    programs->at = grown;
    struct hm_program *p = &grown[programs->count++];
    *p = (struct hm_program){.expect = 0};
    snprintf(p->name, sizeof p->name, "%s", name);
    return p;
}

void hm_programs_free(struct hm_programs *programs) {
    for (size_t i = 0; i < programs->count; i++) {
        struct hm_program *p = &programs->at[i];
        hm_words_free(p->command.words);
        hm_words_free(p->server.words);
        hm_words_free(p->ready.words);
        for (unsigned e = 0; e < p->env_count; e++)
            free(p->env[e]);
        free(p->text);
        free(p->input);
    }
    free(programs->at);
    programs->at = NULL;
    programs->count = 0;
}

/* The name of the command's file, where it is to stand in ids. */
static void make_label(const char *command, char out[HM_PROGRAM_NAME]) {
    const char *slash = strrchr(command, '/');
    snprintf(out, HM_PROGRAM_NAME, "%s", slash ? slash + 1 : command);
    for (char *at = out; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
            *at = '_';
}

int hm_program_check_input(const char *input, struct hm_error *error) {
    struct stat st;
    if (access(input, R_OK) || stat(input, &st))
        return hm_fail(error, EINVAL, "%s: %s", input, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return hm_fail(error, EINVAL, "%s: is a folder", input);
    return S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)
               ? hm_fail(error, EINVAL, "%s: can not be read from its begin in each run", input)
               : 0;
}

/* It stands in each row of samples.csv; the words themselves are in run.json. */
static void make_short(char *text) {
    size_t cut = TEXT_MAX;
    for (char *at = text; at && *at; at++)
        if (*at == '"') /* gnuplot, which reads these rows, knows no quote within quotes */
            *at = '\'';
    if (!text || strlen(text) <= cut + sizeof "...")
        return;
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) /* in the middle of a character */
        cut--;
    memcpy(text + cut, "...", sizeof "...");
}

int hm_programs_take(struct hm_programs *programs, char *const *words, const char *label,
                     const char *input, int expect, struct hm_error *error) {
    char name[HM_PROGRAM_NAME];
    char path[PATH_MAX];
    int bad = hm_executable_find(words[0], path);
    if (bad)
        return hm_fail(error, EINVAL, "can not run '%s': %s", words[0],
                       bad == ENOENT && !strchr(words[0], '/') ? "there is none in PATH"
                                                               : strerror(bad));
    if (input && hm_program_check_input(input, error))
        return EINVAL;
    make_label(words[0], name);
    struct hm_program *p = hm_programs_add(programs, label ? label : name, error);
    if (!p)
        return EINVAL;
    memcpy(p->command.path, path, sizeof path);
    p->expect = expect;
    p->command.words = hm_words_copy(words);
    p->text = hm_words_join(words);
    make_short(p->text);
    p->input = input ? strdup(input) : NULL;
    return p->command.words && p->text && (!input || p->input)
               ? 0
               : hm_fail(error, ENOMEM, "out of memory");
}
