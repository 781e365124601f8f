/* A recorded process's arguments, as a shell would read them. */
#include "harness/trace/command_of.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain(const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,+@%^";
    return *word && !word[strspn(word, plain)];
}

char *hm_command_of(const struct hm_spool_head *head) {
    char *text = NULL;
    size_t size = 0;
    size_t bytes = head->command_bytes;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (bytes >= sizeof head->command)
        bytes = sizeof head->command - 1;
    for (size_t at = 0; at < bytes;) {
        size_t length = strnlen(head->command + at, bytes - at);
        char *word = strndup(head->command + at, length);
        fputs(at ? " " : "", out);
        if (word && is_plain(word)) {
            fputs(word, out);
        } else {
            putc('\'', out);
            for (const char *c = word; c && *c; c++)
                fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, out);
            putc('\'', out);
        }
        free(word);
        at += length + 1;
    }
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}
