/* The calls of one worker while a plan is being made: slots, codes and words, as traces/replay.h describes them. */
#ifndef HM_TRACES_REPLAY_STREAM_H
#define HM_TRACES_REPLAY_STREAM_H

#include "traces/replay.h"
#include "traces/vector.h"

/* What is known of a slot. */
struct slot {
    uint64_t bytes; /* of its block, or DEAD */
    uint32_t turn;  /* of a common slot: the next */
    uint32_t owner; /* of a common slot: who allocated there first */
};

struct space {
    struct hm_vector slots;  /* struct slot */
    struct hm_vector unused; /* uint32_t: a stack; of the common slots a queue */
    size_t taken;            /* from the queue */
};

struct stream {
    struct hm_vector codes;
    struct hm_vector words;
    struct hm_vector left;
    struct space space;
    unsigned group;     /* the code of the calls that were not given one yet; 1: none */
    size_t group_words; /* where their words begin */
    uint64_t calls;
    uint64_t hash;
    struct hm_replay_mark marks[HM_REPLAY_PARTS + 1];
};

static inline bool put_word(struct stream *stream, uint32_t word) {
    uint32_t *to = hm_vector_add(&stream->words, sizeof *to);
    if (to)
        *to = word;
    return to;
}

static inline bool put_code(struct stream *stream, unsigned code, size_t first_word) {
    uint8_t *to = hm_vector_add(&stream->codes, 1);
    if (!to)
        return false;
    *to = (uint8_t)code;
    const uint32_t *words = (const uint32_t *)stream->words.items + first_word;
    stream->hash = hm_replay_hash(stream->hash, code, words, hm_replay_words(code));
    return true;
}

static inline size_t word_count(const struct stream *stream) {
    return stream->words.used / sizeof(uint32_t);
}

/* Give the calls that wait for company a code. */
static inline bool close_group(struct stream *stream) {
    if (stream->group != 1 && !put_code(stream, stream->group, stream->group_words))
        return false;
    stream->group = 1;
    stream->group_words = word_count(stream);
    return true;
}

/* A malloc or free on a slot of the worker's own. */
static inline bool put_grouped(struct stream *stream, bool is_malloc, uint32_t slot,
                               uint32_t size) {
    if (!put_word(stream, slot) || (is_malloc && !put_word(stream, size)))
        return false;
    stream->group = stream->group << 1 | is_malloc;
    return stream->group >> HM_REPLAY_GROUP ? close_group(stream) : true;
}

/* Any other call, with its words. */
static inline bool put_single(struct stream *stream, unsigned code, const uint32_t *words) {
    if (!close_group(stream))
        return false;
    size_t first = word_count(stream);
    for (unsigned i = 0; i < hm_replay_words(code); i++)
        if (!put_word(stream, words[i]))
            return false;
    bool done = put_code(stream, code, first);
    stream->group_words = word_count(stream);
    return done;
}

#endif
