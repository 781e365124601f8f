/* Texts that are kept once each, and numbered 0, 1, 2, .. in the order in which they came. */
#ifndef HM_HARNESS_TRACE_WORDS_H
#define HM_HARNESS_TRACE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define HM_WORD_NONE UINT32_MAX

/** Begin with `{0}`; the fields are private. */
struct hm_words {
    char **texts;
    uint32_t *slots; /* of texts, by their hash; HM_WORD_NONE: empty */
    size_t count, room, slot_count;
};

/** The number of a text, which is copied when it is new. @return HM_WORD_NONE: no memory */
uint32_t hm_words_add(struct hm_words *words, const char *text);

/** The number of a text that may not be there. @param length of it; it need not end  @return
 *  HM_WORD_NONE: it is not */
uint32_t hm_words_find(const struct hm_words *words, const char *text, size_t length);

/** Its text, where it stays until the end. */
static inline const char *hm_words_text(const struct hm_words *words, uint32_t word) {
    return words->texts[word];
}

void hm_words_free(struct hm_words *words);

#endif
