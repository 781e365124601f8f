/* Commands as texts: words between blanks, with quotes as a shell has them and nothing else of a shell. */
#ifndef HM_HARNESS_EXEC_WORDS_H
#define HM_HARNESS_EXEC_WORDS_H

#include "harness/error.h"

/** Split a text. '..' takes all as it is; ".." too, but for \" and \\; outside of both, \ takes the next
 *  character as it is.
 *  @param words receives the words, NULL behind the last; hm_words_free them
 *  @return 0; EINVAL for an open quote or no word, ENOMEM, with a line and *words untouched */
int hm_words_split(const char *text, char ***words, struct hm_error *error);
/** A copy of an array of words. @return NULL: no memory */
char **hm_words_copy(char *const *words);
void hm_words_free(char **words);

/** One line that hm_words_split would take apart into these words again, but for control characters, which
 *  become `?`: the line stands in tables. @return the caller's, or NULL */
char *hm_words_join(char *const *words);

/** Replace each `{name}` of a word. @return the caller's, or NULL: no memory */
char *hm_word_fill(const char *word, const char *name, const char *value);

#endif
