/* Texts that are kept once each, and numbered 0, 1, 2, .. in the order in which they came. */
#ifndef HM_HARNESS_TRACE_TEXTS_H
#define HM_HARNESS_TRACE_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#define HM_TEXT_NONE UINT32_MAX

/** Begin with `{0}`; the fields are private. */
struct hm_texts {
    char **texts;
    uint32_t *slots; /* of texts, by their hash; HM_TEXT_NONE: empty */
    size_t count, room, slot_count;
};

/** The number of a text, which is copied when it is new. @return HM_TEXT_NONE: no memory */
uint32_t hm_texts_add(struct hm_texts *words, const char *text);

/** The number of a text that may not be there. @param length of it; it need not end  @return
 *  HM_TEXT_NONE: it is not */
uint32_t hm_texts_find(const struct hm_texts *words, const char *text, size_t length);

/** Its text, where it stays until the end. */
static inline const char *hm_texts_text(const struct hm_texts *words, uint32_t word) {
    return words->texts[word];
}

void hm_texts_free(struct hm_texts *words);

#endif
