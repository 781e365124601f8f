/* Suites of programs.
 *
 *   [NAME]       command, needs, package, stdin, env (may be repeated), expect, server, ready
 *
 * `{dir}` in a value is the folder of the file. Each program works in an empty folder. */
#include "harness/exec/suite.h"

#include "harness/exec/words.h"
#include "harness/machine/executable.h"
#include "harness/plan/spec.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

/* A section while it is read: what can only be judged as a whole. */
struct section {
    char *needs, *package;
};

struct reader {
    struct hm_programs *programs;
    const char *only;
    char dir[PATH_MAX];
    struct section *sections; /* one for each program */
    struct hm_error error;    /* the first error's line, without place */
    bool failed;
};

static bool is_wanted(const char *only, const char *name) {
    size_t length = strlen(name);
    for (const char *at = only; at;) {
        size_t here = strcspn(at, ",");
        if (here == length && memcmp(at, name, length) == 0)
            return true;
        at = at[here] ? at + here + 1 : NULL;
    }
    return !only;
}

static int out_of_memory(struct reader *r) {
    return hm_fail(&r->error, ENOMEM, "out of memory");
}

static int find_program(struct reader *r, const char *name, struct hm_program **out) {
    struct hm_programs *all = r->programs;
    if (all->count && strcmp(all->at[all->count - 1].name, name) == 0) {
        *out = &all->at[all->count - 1];
        return 0;
    }
    struct section *grown = realloc(r->sections, (all->count + 1) * sizeof *grown);
    if (!grown)
        return out_of_memory(r);
    r->sections = grown;
    *out = hm_programs_add(all, name, &r->error);
    if (!*out)
        return EINVAL;
    grown[all->count - 1] = (struct section){NULL, NULL};
    (*out)->from_suite = (*out)->scratch = true;
    return 0;
}

/* As it is written, with the folder in the place of {dir}. */
static int take_text(struct reader *r, char **out, const char *key, const char *value) {
    if (*out)
        return hm_fail(&r->error, EINVAL, "'%s' is given twice", key);
    *out = hm_word_fill(value, "dir", r->dir);
    return *out ? 0 : out_of_memory(r);
}

/* The folder is filled in word by word: a blank in it splits nothing. */
static int take_words(struct reader *r, struct hm_command_line *out, const char *key,
                      const char *value) {
    if (out->words)
        return hm_fail(&r->error, EINVAL, "'%s' is given twice", key);
    int bad = hm_words_split(value, &out->words, &r->error);
    for (char **word = out->words; !bad && *word; word++) {
        char *filled = hm_word_fill(*word, "dir", r->dir);
        if (!filled)
            return out_of_memory(r);
        free(*word);
        *word = filled;
    }
    return bad;
}

static int take_env(struct reader *r, struct hm_program *p, const char *value) {
    size_t name = strcspn(value, "=");
    if (name == 0 || value[name] != '=')
        return hm_fail(&r->error, EINVAL, "env = %s: is not of the form NAME=VALUE", value);
    if (strncmp(value, "LD_", 3) == 0)
        return hm_fail(&r->error, EINVAL, "env = %s: the loader's variables are ours to set",
                       value);
    if (p->env_count == HM_PROGRAM_ENV)
        return hm_fail(&r->error, EINVAL, "more than %d env lines", HM_PROGRAM_ENV);
    p->env[p->env_count] = hm_word_fill(value, "dir", r->dir);
    return p->env[p->env_count++] ? 0 : out_of_memory(r);
}

static int take_expect(struct reader *r, struct hm_program *p, const char *value) {
    int64_t n;
    if (hm_number_parse(value, 1000, &n) || n < 0 || n > 255)
        return hm_fail(&r->error, EINVAL, "expect = %s: must be an exit status from 0 to 255",
                       value);
    p->expect = (int)n;
    return 0;
}

static int set(struct reader *r, const char *name, const char *key, const char *value) {
    struct hm_program *p;
    if (!*name)
        return hm_fail(&r->error, EINVAL, "'%s' stands in no [section]", key);
    if (!is_wanted(r->only, name))
        return 0;
    if (!*value)
        return hm_fail(&r->error, EINVAL, "'%s' has no value", key);
    int bad = find_program(r, name, &p);
    if (bad)
        return bad;
    struct section *section = &r->sections[r->programs->count - 1];
    if (strcmp(key, "command") == 0)
        return take_words(r, &p->command, key, value);
    if (strcmp(key, "server") == 0)
        return take_words(r, &p->server, key, value);
    if (strcmp(key, "ready") == 0)
        return take_words(r, &p->ready, key, value);
    if (strcmp(key, "stdin") == 0)
        return take_text(r, &p->input, key, value);
    if (strcmp(key, "needs") == 0)
        return take_text(r, &section->needs, key, value);
    if (strcmp(key, "package") == 0)
        return take_text(r, &section->package, key, value);
    if (strcmp(key, "env") == 0)
        return take_env(r, p, value);
    if (strcmp(key, "expect") == 0)
        return take_expect(r, p, value);
    return hm_fail(&r->error, EINVAL,
                   "unknown key '%s'; a program takes command, needs, package, stdin, env, expect, "
                   "server, ready",
                   key);
}

/* inih calls this for each pair; 0 means an error, and the first one is kept. */
static int on_pair(void *arg, const char *section, const char *key, const char *value) {
    struct reader *r = arg;
    if (!r->failed)
        r->failed = set(r, section, key, value) != 0;
    return !r->failed;
}

/* ---- Whole programs ---- */

static void say_missing(struct hm_program *p, const struct section *s, const char *what) {
    if (p->missing[0])
        return;
    if (s->package)
        snprintf(p->missing, sizeof p->missing, "%.80s is not installed: package %.80s has it",
                 what, s->package);
    else
        snprintf(p->missing, sizeof p->missing, "%.160s is not installed", what);
}

static void find_line(struct hm_program *p, const struct section *s, struct hm_command_line *line) {
    if (line->words && hm_executable_find(line->words[0], line->path))
        say_missing(p, s, line->words[0]);
}

static void find_needs(struct hm_program *p, const struct section *s) {
    char path[PATH_MAX];
    char *copy = s->needs ? strdup(s->needs) : NULL;
    char *rest = copy;
    for (char *word; (word = strsep(&rest, ", \t"));)
        if (*word && hm_executable_find(word, path))
            say_missing(p, s, word);
    free(copy);
}

static int complete(struct reader *r, size_t i) {
    struct hm_program *p = &r->programs->at[i];
    const struct section *s = &r->sections[i];
    if (!p->command.words)
        return hm_fail(&r->error, EINVAL, "[%s] has no command", p->name);
    if (!p->server.words != !p->ready.words)
        return hm_fail(&r->error, EINVAL, "[%s]: 'server' and 'ready' go together", p->name);
    find_needs(p, s);
    find_line(p, s, &p->command);
    find_line(p, s, &p->server);
    find_line(p, s, &p->ready);
    p->text = hm_words_join(p->command.words);
    struct hm_error why;
    if (p->input && hm_program_check_input(p->input, &why))
        return hm_fail(&r->error, EINVAL, "[%s]: stdin: %.200s", p->name, why.line);
    return p->text ? 0 : out_of_memory(r);
}

static int check_only(struct reader *r) {
    char *copy = strdup(r->only ? r->only : "");
    char *rest = copy;
    int bad = copy ? 0 : out_of_memory(r);
    for (char *name; !bad && *copy && (name = strsep(&rest, ","));) {
        bool found = false;
        for (size_t i = 0; i < r->programs->count; i++)
            found = found || strcmp(r->programs->at[i].name, name) == 0;
        if (!found)
            bad = hm_fail(&r->error, EINVAL, "has no program '%s'", name);
    }
    free(copy);
    return bad;
}

static int read_all(struct reader *r, const char *path, struct hm_error *error) {
    int line = ini_parse(path, on_pair, r);
    if (line == -1)
        return hm_fail(error, ENOENT, "%s: %s", path, strerror(errno));
    if (line != 0)
        return hm_fail(error, EINVAL, "%s:%d: %s", path, line,
                       r->failed ? r->error.line : "neither a [section] nor a key = value");
    int bad = check_only(r);
    if (!bad && !r->programs->count)
        bad = hm_fail(&r->error, EINVAL, "has no programs");
    for (size_t i = 0; !bad && i < r->programs->count; i++)
        bad = complete(r, i);
    return bad ? hm_fail(error, bad, "%s: %s", path, r->error.line) : 0;
}

int hm_suite_read(struct hm_programs *programs, const char *path, const char *only,
                  struct hm_error *error) {
    struct reader r = {.programs = programs, .only = only};
    char real[PATH_MAX];
    if (!realpath(path, real))
        return hm_fail(error, ENOENT, "%s: %s", path, strerror(errno));
    *strrchr(real, '/') = '\0';
    snprintf(r.dir, sizeof r.dir, "%s", real[0] ? real : "/");
    int bad = read_all(&r, path, error);
    for (size_t i = 0; r.sections && i < programs->count; i++) {
        free(r.sections[i].needs);
        free(r.sections[i].package);
    }
    free(r.sections);
    return bad;
}
