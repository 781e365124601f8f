/* The spool: what the recording library leaves behind, one file for each image of a process.
 *
 * Vocabulary
 *   image    a process from its begin, or from an exec or a fork, to its end or to the next exec
 *   chunk    a stretch of the file that one thread fills
 *   slot     16 bytes of a chunk; a record is one slot or a few in a row
 *   ticket   the place of a record in the order of the whole image, from 1. A free's is taken before
 *            the block goes, an allocation's after it was made, and a reallocation that moves has
 *            both: so an address is never seen to be given out before it was given back.
 *
 * Invariants
 *   A record's first word tells how many slots it has, and is stored first; its second word has the
 *   ticket, never 0, and is stored last. A process may be killed anywhere between: a slot whose first
 *   word is 0 was never begun, a record whose second is 0 never finished. The tickets of one thread
 *   nearly ascend: what a signal handler or a reallocation did in between may stand first.
 *   A chunk's head is stored, with its magic last, after its room was taken from `used`.
 *
 * The file is for the very machine that wrote it, and for as long as a recording takes. */
#ifndef HM_TRACES_SPOOL_H
#define HM_TRACES_SPOOL_H

#include <stdint.h>

#define HM_SPOOL_MAGIC       UINT64_C(0x316c6f6f70736d68) /* "hmspool1" */
#define HM_SPOOL_CHUNK_MAGIC UINT64_C(0x6b6e7568636d6870)

/** The environment variable that tells the library what to do: PID:TIMES:STACKS:FOLDER, the only
 *  process that is to be recorded or 0, whether to take times, and how many frames of stacks. */
#define HM_SPOOL_VARIABLE "HEAPMARK_RECORD"

enum {
    HM_SPOOL_HEAD_BYTES = 16 << 10,
    HM_SPOOL_GRANULE = 4 << 10, /* chunks begin at its multiples, and have a multiple of it */
    HM_SPOOL_CHUNK_BYTES = 256 << 10,
    HM_SPOOL_SLOT_BYTES = 16,
    HM_SPOOL_NAME_BYTES = 32,
    HM_SPOOL_FRAMES_MAX = 64,
};

/* The first word: address, and in its lower 16 bits what kind of record it is. */
enum {
    HM_SPOOL_ADDRESS_SHIFT = 16,
    HM_SPOOL_KIND_MASK = 0x1f,    /* enum hm_trace_kind, or one of those below, plus 1 */
    HM_SPOOL_FAILED = 1 << 5,     /* of a reallocation: the address is the old one */
    HM_SPOOL_MOVED = 1 << 6,      /* a slot follows: old address, ticket taken before the call */
    HM_SPOOL_LARGE = 1 << 7,      /* a slot follows: count, size */
    HM_SPOOL_EXTRA = 1 << 8,      /* a slot follows: stack's hash, time in ns */
    HM_SPOOL_ALIGNMENT_SHIFT = 9, /* 6 bits: log2 */
    HM_SPOOL_STACK = 29,          /* kind: the size counts frames, which follow two to a slot, after
                                       a slot with hash and number of the snapshot of modules */
    HM_SPOOL_THREAD_END = 30,     /* kind: the thread's last calls may follow */
};

/* The second word: ticket, and below it a size, or 12 bits of count and 12 bits of size. */
enum {
    HM_SPOOL_TICKET_SHIFT = 24,
    HM_SPOOL_SIZE_MAX = (1 << 24) - 1,
    HM_SPOOL_COUNT_SHIFT = 12,
    HM_SPOOL_COUNT_MAX = (1 << 12) - 1,
};

struct hm_spool_slot {
    uint64_t first;
    uint64_t second;
};

struct hm_spool_chunk {
    uint64_t magic;
    uint64_t bytes;  /* with this head */
    uint32_t thread; /* in the order of their first chunks */
    uint32_t tid;
    uint64_t unused;
};

struct hm_spool_head {
    uint64_t magic;
    uint64_t used;    /* bytes of the file that are taken; what is behind was never written */
    uint64_t dropped; /* calls */
    uint64_t stopped; /* ticket from which on calls are not kept, 0 for none */
    int32_t pid;
    int32_t error; /* an errno: why it stopped */
    uint32_t has_times, has_stacks;
    int64_t started_utc; /* s since 1970 */
    uint64_t started_ns; /* CLOCK_MONOTONIC */
    uint64_t page_bytes;
    uint64_t forked_at; /* the last ticket of the parent before the fork */
    uint32_t has_ended; /* by exit, with this status */
    uint32_t status;
    char parent[HM_SPOOL_NAME_BYTES]; /* the image that it was forked from; "" for an exec's */
    uint32_t command_bytes;
    char program[4096];
    char command[8192]; /* arguments, each ends with a NUL; may be cut */
};

_Static_assert(sizeof(struct hm_spool_head) <= HM_SPOOL_HEAD_BYTES, "the head has room");
_Static_assert(sizeof(struct hm_spool_chunk) % HM_SPOOL_SLOT_BYTES == 0, "slots are aligned");

#endif
