/* Reads scripts line by line, and keeps the names in libc's balanced tree. */
#include "harness/sim/script.h"

#include "harness/plan/registry.h"
#include "harness/plan/spec.h"

#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char id_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

/* Words are printed in errors: what a terminal could obey is not. */
static const char *printable(const char *word, char out[HM_SIM_ID_BYTES]) {
    size_t i = 0;
    for (; i < HM_SIM_ID_BYTES - 1 && word[i]; i++) {
        out[i] = '?';
        if (word[i] > ' ' && word[i] < 0x7f)
            out[i] = word[i];
    }
    out[i] = '\0';
    return out;
}

/* @return 1 a line, 0 the end, -1 with one line */
static int read_line(struct hm_sim_script *script, char *text, struct hm_error *error) {
    size_t length = 0;
    int c = getc_unlocked(script->file);
    if (c == EOF && !ferror(script->file))
        return 0;
    script->number++;
    for (; c != EOF && c != '\n'; c = getc_unlocked(script->file)) {
        if (c == '\0')
            return hm_fail(error, -1, "there is a NUL byte in it");
        if (length == HM_SIM_LINE_BYTES - 1)
            return hm_fail(error, -1, "longer than %d bytes", HM_SIM_LINE_BYTES - 1);
        text[length++] = (char)c;
    }
    text[length] = '\0';
    return ferror(script->file) ? hm_fail(error, -1, "can not be read: %s", strerror(errno)) : 1;
}

/* @return how many words there are; HM_SIM_WORDS + 1 for more than fit */
static unsigned split(struct hm_sim_line *line) {
    unsigned count = 0;
    char *state;
    line->text[strcspn(line->text, "#")] = '\0';
    memset(line->words, 0, sizeof line->words);
    for (char *word = strtok_r(line->text, " \t\r", &state); word;
         word = strtok_r(NULL, " \t\r", &state)) {
        if (count == HM_SIM_WORDS)
            return HM_SIM_WORDS + 1;
        line->words[count++] = word;
    }
    return count;
}

static int unknown_verb(const struct hm_sim_verb *verbs, const char *word, struct hm_error *error) {
    char shown[HM_SIM_ID_BYTES];
    const char *names[32];
    size_t count = 0;
    for (; count < sizeof names / sizeof *names && verbs[count].name; count++)
        names[count] = verbs[count].name;
    const char *near = hm_nearest(word, names, count);
    if (near)
        return hm_fail(error, -1, "unknown verb '%s'; did you mean '%s'?", printable(word, shown),
                       near);
    return hm_fail(error, -1, "unknown verb '%s'", printable(word, shown));
}

static int check_count(const struct hm_sim_verb *verb, unsigned count, struct hm_error *error) {
    unsigned most = 1, least = 1;
    bool optional = false;
    for (const char *at = verb->words; *at; at += strspn(at, " ")) {
        optional |= *at == '[';
        most++;
        least += !optional;
        at += strcspn(at, " ");
    }
    if (count >= least && count <= most)
        return 1;
    return hm_fail(error, -1, "%s; it is: %s%s%s",
                   count < least ? "a missing word" : "a word too many", verb->name,
                   *verb->words ? " " : "", verb->words);
}

int hm_sim_next(struct hm_sim_script *script, struct hm_sim_line *line, struct hm_error *error) {
    unsigned count;
    do {
        int got = read_line(script, line->text, error);
        if (got != 1)
            return got;
        count = split(line);
    } while (count == 0);
    const struct hm_sim_verb *verb = script->verbs;
    while (verb->name && strcmp(verb->name, line->words[0]) != 0)
        verb++;
    line->verb = verb;
    return verb->name ? check_count(verb, count, error)
                      : unknown_verb(script->verbs, line->words[0], error);
}

int hm_sim_check_id(const char *word, struct hm_error *error) {
    char shown[HM_SIM_ID_BYTES];
    size_t length = strlen(word);
    if (length >= HM_SIM_ID_BYTES)
        return hm_fail(error, EINVAL, "an ID of %zu letters: %d at most", length,
                       HM_SIM_ID_BYTES - 1);
    if (length == 0 || word[strspn(word, id_letters)])
        return hm_fail(error, EINVAL, "'%s' is no ID: letters, digits, '_', '.' and '-'",
                       printable(word, shown));
    return 0;
}

int hm_sim_parse_size(const char *word, uint64_t *out, struct hm_error *error) {
    char shown[HM_SIM_ID_BYTES];
    int64_t number = 0;
    int bad = hm_number_parse(word, 1024, &number);
    if (bad == ERANGE)
        return hm_fail(error, EINVAL, "%s is too large: it must be below 2^63",
                       printable(word, shown));
    if (bad || *word == '-')
        return hm_fail(error, EINVAL, "'%s' is not a whole number (K, M, G may follow)",
                       printable(word, shown));
    *out = (uint64_t)number;
    return 0;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

void *hm_sim_find(void *names, const char *id) {
    void **found = tfind(id, &names, compare);
    return found ? *found : NULL;
}

void *hm_sim_name(void **names, const char *id, size_t bytes) {
    char *entry = hm_sim_find(*names, id);
    if (entry)
        return entry;
    entry = calloc(1, bytes);
    if (!entry)
        return NULL;
    memcpy(entry, id, strlen(id) + 1);
    if (tsearch(entry, names, compare))
        return entry;
    free(entry);
    return NULL;
}

void hm_sim_forget(void *names) {
    tdestroy(names, free);
}
