/* A plan: what a trace's calls come to for whoever makes them again, decoded before the clock starts.
 *
 * Vocabulary
 *   worker  a thread that replays. Recorded thread i is the work of worker i modulo their number, so one
 *           worker makes all calls in the recorded order.
 *   call    one operation of the plan. Left out are calls that had failed, frees of NULL, and what was
 *           about foreign blocks.
 *   slot    where the pointer to a live block is kept. A dead block's slot is given to a later block, the
 *           one that died last first: so there are as many slots as there were live blocks at most.
 *   common  a slot of a block that more than one worker has to do with. All workers see these.
 *   turn    calls that were made on a common slot so far. A call waits until its turn has come.
 *   stream  the calls of one worker: a byte (a code) for each stretch of calls, and words for what they
 *           are about.
 *   part    a piece of the replay: all calls between two moments of the recording.
 *   prologue  allocations of what the recorded process had inherited, before its first call.
 *
 * Codes
 *   2 .. 31   one to four calls of malloc and free on the worker's own slots. Below the highest bit that
 *             is set there is a bit for each call, the first one highest: 1 is a malloc, with the
 *             words slot and bytes, 0 a free, with the word slot. One jump decides about four calls:
 *             which of the two comes next is what a processor can not foresee.
 *   others    one call each: enum hm_replay_code, with its words.
 *
 * Nobody waits for ever: a turn waits for calls that were recorded earlier, and each worker makes its
 * calls in the recorded order. So the earliest call that is not made yet never has to wait. This holds
 * within a part as well, because parts are cut at the same moment for all workers. A common slot that is
 * given to another block is no exception, as its turns go on. */
#ifndef HM_TRACES_REPLAY_H
#define HM_TRACES_REPLAY_H

#include "traces/trace.h"

enum {
    HM_REPLAY_WORKERS = 1024,
    HM_REPLAY_PARTS = 200, /* at most; at least half as many where there are as many calls */
    HM_REPLAY_GROUP = 4,   /* calls of one code at most */
    HM_REPLAY_WORDS = 4,   /* of a call at most */
};

/* The words of a call. Those on common slots have the turn in front. */
enum hm_replay_code {
    HM_REPLAY_CALLOC = 32, /* slot, count, bytes of one */
    HM_REPLAY_REALLOC,     /* slot, bytes, bytes before; never to 0 */
    HM_REPLAY_RARE,        /* slot, number of the hm_replay_rare */
    HM_REPLAY_USABLE,      /* slot */
    HM_REPLAY_COMMON_MALLOC,
    HM_REPLAY_COMMON_FREE,
    HM_REPLAY_COMMON_CALLOC,
    HM_REPLAY_COMMON_REALLOC,
    HM_REPLAY_COMMON_RARE,
    HM_REPLAY_COMMON_USABLE,
    HM_REPLAY_CODES,
};

/* A call with an alignment, or with a number that no word holds. */
struct hm_replay_rare {
    uint64_t count;
    uint64_t size;
    uint64_t before; /* bytes, of a realloc */
    uint8_t kind;    /* HM_TRACE_MALLOC, _CALLOC, _REALLOC or _MEMALIGN */
    uint8_t alignment_log2;
};

/* A block that the recorded program never freed. */
struct hm_replay_left {
    uint32_t slot;
    bool is_common;
    uint64_t bytes;
};

/* Where a part begins. */
struct hm_replay_mark {
    uint64_t code;
    uint64_t word;
};

struct hm_replay_stream {
    const uint8_t *codes;
    const uint32_t *words;
    uint64_t code_count;
    uint64_t word_count;
    struct hm_replay_mark marks[HM_REPLAY_PARTS + 1]; /* parts + 1 of them; the prologue before */
    const struct hm_replay_left *left; /* of a common slot: of who allocates there first */
    uint64_t left_count;
    uint64_t calls;      /* without the prologue */
    uint64_t hash;       /* hm_replay_hash of the calls, without the prologue */
    uint32_t slot_count; /* its own */
};

/** What is known without a plan. */
struct hm_replay_facts {
    uint64_t calls;
    uint64_t peak_bytes;
    uint64_t left_out;
    uint64_t threads;
    uint64_t hash; /* the trace's */
};

struct hm_replay_plan {
    unsigned workers;
    unsigned parts;
    uint64_t calls;
    uint64_t left_out;
    uint64_t peak_bytes; /* in the recorded order */
    uint64_t longest_alignment;
    uint64_t live_bytes[HM_REPLAY_PARTS + 1]; /* when a part begins */
    const uint32_t *owners; /* of each common slot: the worker that allocates there first */
    uint32_t common_count;
    const struct hm_replay_rare *rares;
    uint64_t rare_count;
    size_t bytes;                      /* of it all: one piece of memory */
    struct hm_replay_stream streams[]; /* of each worker */
};

/** Bytes of memory for a plan, and how they are given back: not the plan's to choose, as there is somebody
 *  who counts them. Zeroed. */
struct hm_replay_memory {
    void *(*take)(size_t bytes);
    void (*give)(void *p, size_t bytes);
};

static inline uint64_t hm_replay_rotate(uint64_t x) {
    return x << 23 | x >> 41;
}

/** Of a code and its words. Hot: `count` is constant where it is called. */
__attribute__((always_inline)) static inline uint64_t
hm_replay_hash(uint64_t hash, unsigned code, const uint32_t *words, const unsigned count) {
    uint64_t x = code;
    unsigned i = 0;
    for (; i + 1 < count; i += 2)
        x = hm_replay_rotate(x) ^ ((uint64_t)words[i] << 32 | words[i + 1]);
    if (i < count)
        x = hm_replay_rotate(x) ^ words[i];
    return (hash ^ x) * UINT64_C(0x9e3779b97f4a7c15);
}

/** Words of a code. */
unsigned hm_replay_words(unsigned code);

/* ---- Making a plan from events ---- */

/** Whether the event is a call that is made again, or a block that was inherited. */
static inline bool hm_replay_takes(const struct hm_trace_event *event) {
    return !event->failed && event->kind < HM_TRACE_THREAD_BEGIN && event->block != HM_TRACE_NULL &&
           event->block != HM_TRACE_FOREIGN;
}

struct hm_replay_builder;

/** For several workers all events have to be told twice, first to survey and then to add: which blocks are
 *  common has to be known when they are allocated.  @return 0 or ENOMEM */
int hm_replay_begin(unsigned workers, struct hm_replay_builder **out);
int hm_replay_survey(struct hm_replay_builder *builder, const struct hm_trace_event *event);

/** @return 0, ENOMEM, or EFBIG: more than 2^32 blocks */
int hm_replay_add(struct hm_replay_builder *builder, const struct hm_trace_event *event);

/** The builder is gone, whatever happens.  @return 0 or ENOMEM */
int hm_replay_end(struct hm_replay_builder *builder, const struct hm_replay_memory *memory,
                  struct hm_replay_plan **out);
void hm_replay_abandon(struct hm_replay_builder *builder);

/* ---- And from a file ---- */

/** Read the whole file and check it. What was asked last is remembered, as long as the file is not another one.
 *  `file` is a path, or the name of one of the examples (without a slash and the ending).
 *  @return 0, or an errno and one line in `why` */
int hm_replay_check(const char *file, struct hm_replay_facts *out, char why[HM_TRACE_WHY_BYTES]);

/** @return 0, or an errno and one line in `why` */
int hm_replay_load(const char *file, unsigned workers, const struct hm_replay_memory *memory,
                   struct hm_replay_plan **out, char why[HM_TRACE_WHY_BYTES]);

#endif
