/* The language of `heapmark sim`: lines of words, and the names that they give to things.
 *
 *   line   a verb and its words, separated by spaces and tabs; `#` begins a comment
 *   ID     1 to 64 of A-Z a-z 0-9 _ . -
 *   size   a whole number, K, M and G may follow (powers of 1024); less than 2^63
 *
 * Scripts are not trusted: a line has at most HM_SIM_LINE_BYTES - 1 bytes, and every word is checked
 * before it is used. */
#ifndef HM_HARNESS_SIM_SCRIPT_H
#define HM_HARNESS_SIM_SCRIPT_H

#include "harness/error.h"

#include <stdint.h>
#include <stdio.h>

enum {
    HM_SIM_LINE_BYTES = 1024,
    HM_SIM_WORDS = 6,     /* most words of a line, the verb included */
    HM_SIM_ID_BYTES = 65, /* an ID with its end */
};

struct hm_sim_line;

struct hm_sim_verb {
    const char *name;
    const char
        *words; /* what follows it: "ID SLOT", "ID [GEN]"; all behind a '[' may be left out */
    /** @param sim what plays the script  @return 0, or an errno with one line */
    int (*play)(void *sim, const struct hm_sim_line *line, struct hm_error *error);
};

struct hm_sim_line {
    const struct hm_sim_verb *verb;
    char *words[HM_SIM_WORDS]; /* point into text; words[0] is the verb, NULL behind the last */
    char text[HM_SIM_LINE_BYTES];
};

struct hm_sim_script {
    FILE *file;
    const char *name;                /* for errors */
    long number;                     /* of the latest line, from 1 */
    const struct hm_sim_verb *verbs; /* ends with an empty entry */
};

/** Read the next line that is neither blank nor a comment, find its verb and count its words.
 *  @return 1 a line, 0 the end, -1 not readable or bad, with one line that leaves out where it is */
int hm_sim_next(struct hm_sim_script *script, struct hm_sim_line *line, struct hm_error *error);

/** Check and convert a word. @return 0, or EINVAL with one line and *out untouched */
int hm_sim_check_id(const char *word, struct hm_error *error);
int hm_sim_parse_size(const char *word, uint64_t *out, struct hm_error *error);

/** Names: a table from IDs to entries, each a structure that begins with `char id[HM_SIM_ID_BYTES]`.
 *  A table is a `void *`, at first NULL. Entries never move; they are freed with the table.
 *  hm_sim_name makes an entry of `bytes` zeroed bytes if there is none (NULL: out of memory);
 *  hm_sim_find never makes one. The ID is checked. */
void *hm_sim_name(void **names, const char *id, size_t bytes);
void *hm_sim_find(void *names, const char *id);
void hm_sim_forget(void *names);

#endif
