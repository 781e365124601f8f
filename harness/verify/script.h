/* Long random scripts of heap operations, played under a shadow.
 *
 * Vocabulary
 *   script   operations on blocks that are named by ids, as `heapmark sim` reads them
 *   episode  a stretch that begins and ends with an empty heap; it depends on (seed, number) alone,
 *            and never on what the heap does, so that any episode can be played by itself
 *   player   plays operations and checks each one. An operation that does not fit (a free of an id
 *            that is not live) is passed over, so that every part of a script is a script. */
#ifndef HM_HARNESS_VERIFY_SCRIPT_H
#define HM_HARNESS_VERIFY_SCRIPT_H

#include "harness/cell/memory.h"
#include "harness/verify/shadow.h"
#include "workloads/scratch.h"

enum {
    HM_SCRIPT_IDS = 4096,
    HM_EPISODE_OPS = 20000,
    HM_FIRST_BLOCKS = 16,
};

enum hm_op_kind {
    HM_OP_MALLOC,
    HM_OP_CALLOC,
    HM_OP_REALLOC,
    HM_OP_ALIGNED,
    HM_OP_FREE,
    HM_OP_USABLE, /* malloc_usable_size, then all of it is written; the language has no such line */
};

struct hm_op {
    uint32_t id;
    uint8_t kind;
    uint8_t shift;  /* of an alignment: 1 << shift */
    uint16_t count; /* of a calloc */
    size_t size;
};

/** Where operations come from. Not small: in static or mapped memory. */
struct hm_script {
    struct hm_random random;
    uint32_t left;  /* operations of this episode that are still to come */
    uint32_t slots; /* ids that this episode uses */
    uint32_t live;
    uint32_t ids[HM_SCRIPT_IDS];   /* the first `live` of them are live */
    uint32_t place[HM_SCRIPT_IDS]; /* of an id in ids[] */
};

/** Begin an episode of at most HM_EPISODE_OPS operations. */
void hm_script_begin(struct hm_script *script, uint64_t seed, uint64_t episode, uint64_t ops);
/** The next operation. @return false at the episode's end, where no block is live */
bool hm_script_next(struct hm_script *script, struct hm_op *out);

struct hm_player {
    const struct hm_memory *memory;
    struct hm_shadow shadow;
    size_t alignment;
    bool promised;  /* else small blocks are aligned to their size only: hm_verify_alignment */
    bool unaligned; /* alignment is not looked at */
    bool (*may_refuse)(void *arg, size_t bytes); /* NULL with ENOMEM is no fault; NULL: it is */
    bool (*excuses)(void *arg,
                    const char *call); /* whether "aligned_alloc(64, 64)" may give a block
                                                     that is not aligned; NULL: none may */
    void *arg;
    bool asks_again;               /* hm_player_again does */
    size_t first[HM_FIRST_BLOCKS]; /* sizes of the first blocks that it was given */
    unsigned first_count;
    uint64_t asked;   /* for a block or for its new size */
    uint64_t refused; /* of them, for want of room */
    bool no_usable;   /* as in struct hm_verify */
    bool no_aligned;
};

/** Play one operation. @return 0, or an errno with one line */
int hm_player_step(struct hm_player *player, const struct hm_op *op, struct hm_error *error);

/** Free all blocks that are live, and check them. @return 0 or EBADMSG with one line */
int hm_player_clear(struct hm_player *player, struct hm_error *error);

/** No block is live: what was given at first must be given again. @return 0 or ENOMEM with one line */
int hm_player_again(const struct hm_player *player, struct hm_error *error);

/** One line in the language of `heapmark sim`. @return its length, as snprintf */
int hm_op_print(const struct hm_op *op, char *out, size_t size);

#endif
