/* Commands as texts. */
#include "harness/exec/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void hm_words_free(char **words) {
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

/* One word, from a text that does not begin with a blank. @return what is left, NULL: an open quote */
static const char *take_word(const char *text, char *out) {
    char quote = '\0';
    for (; *text && (quote || !strchr(" \t", *text)); text++) {
        bool escapes = quote != '\'' && *text == '\\' && text[1];
        if (escapes && (!quote || strchr("\"\\", text[1])))
            *out++ = *++text;
        else if (quote ? *text == quote : strchr("'\"", *text) != NULL)
            quote = (char)(quote ? '\0' : *text);
        else
            *out++ = *text;
    }
    *out = '\0';
    return quote ? NULL : text;
}

int hm_words_split(const char *text, char ***words, struct hm_error *error) {
    size_t length = strlen(text);
    char **all = calloc(length / 2 + 2, sizeof *all);
    char *room = malloc(length + 1);
    const char *rest = text + strspn(text, " \t");
    size_t count = 0;
    bool memory = all && room;
    while (memory && rest && *rest) {
        rest = take_word(rest, room);
        if (!rest)
            break;
        memory = (all[count++] = strdup(room)) != NULL;
        rest += strspn(rest, " \t");
    }
    free(room);
    if (memory && rest && count) {
        *words = all;
        return 0;
    }
    hm_words_free(all);
    return !memory ? hm_fail(error, ENOMEM, "out of memory")
           : !rest ? hm_fail(error, EINVAL, "'%s': a quote is open", text)
                   : hm_fail(error, EINVAL, "a command is empty");
}

char **hm_words_copy(char *const *words) {
    size_t count = 0;
    while (words[count])
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        if (!(copy[i] = strdup(words[i]))) {
            hm_words_free(copy);
            return NULL;
        }
    return copy;
}

/* ' itself is written as '\'' */
static void put_word(FILE *out, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=./,:@%";
    if (*word && !word[strspn(word, plain)]) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc((unsigned char)*word < ' ' || *word == 0x7f ? '?' : *word, out);
    fputc('\'', out);
}

char *hm_words_join(char *const *words) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (char *const *word = words; out && *word; word++) {
        if (word != words)
            fputc(' ', out);
        put_word(out, *word);
    }
    if (out && fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

char *hm_word_fill(const char *word, const char *name, const char *value) {
    char *text = NULL;
    size_t size = 0;
    size_t length = strlen(name);
    FILE *out = open_memstream(&text, &size);
    while (out && *word) {
        if (*word == '{' && strncmp(word + 1, name, length) == 0 && word[1 + length] == '}') {
            fputs(value, out);
            word += length + 2;
        } else {
            fputc(*word++, out);
        }
    }
    if (out && fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
