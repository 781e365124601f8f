/* Texts by number: an array, and a table of open addressing over it that is never more than half full. */
#include "harness/trace/texts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, and a last step that brings the upper bits down. */
static size_t hash_of(const char *text, size_t length) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

static bool is_text(const char *kept, const char *text, size_t length) {
    return strncmp(kept, text, length) == 0 && !kept[length];
}

/* The slot where a text is, or where it would be. */
static uint32_t *slot_of(const struct hm_texts *words, const char *text, size_t length) {
    size_t mask = words->slot_count - 1;
    size_t at = hash_of(text, length) & mask;
    while (words->slots[at] != HM_TEXT_NONE &&
           !is_text(words->texts[words->slots[at]], text, length))
        at = (at + 1) & mask;
    return &words->slots[at];
}

static int grow(struct hm_texts *words) {
    size_t room = words->room ? 2 * words->room : 64;
    char **texts = reallocarray(words->texts, room, sizeof *texts);
    if (!texts)
        return -1;
    words->texts = texts;
    uint32_t *slots = reallocarray(NULL, 2 * room, sizeof *slots);
    if (!slots)
        return -1;
    free(words->slots);
    memset(slots, 0xFF, 2 * room * sizeof *slots);
    words->slots = slots;
    words->room = room;
    words->slot_count = 2 * room;
    for (uint32_t i = 0; i < words->count; i++)
        *slot_of(words, texts[i], strlen(texts[i])) = i;
    return 0;
}

uint32_t hm_texts_add(struct hm_texts *words, const char *text) {
    if (words->count == words->room && grow(words))
        return HM_TEXT_NONE;
    uint32_t *slot = slot_of(words, text, strlen(text));
    if (*slot != HM_TEXT_NONE)
        return *slot;
    char *copy = strdup(text);
    if (!copy || words->count == HM_TEXT_NONE) {
        free(copy);
        return HM_TEXT_NONE;
    }
    words->texts[words->count] = copy;
    *slot = (uint32_t)words->count++;
    return *slot;
}

uint32_t hm_texts_find(const struct hm_texts *words, const char *text, size_t length) {
    return words->slot_count ? *slot_of(words, text, length) : HM_TEXT_NONE;
}

void hm_texts_free(struct hm_texts *words) {
    for (size_t i = 0; i < words->count; i++)
        free(words->texts[i]);
    free(words->texts);
    free(words->slots);
    *words = (struct hm_texts){0};
}
