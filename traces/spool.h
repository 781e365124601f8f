/* The spool: what the recording library leaves behind, one file for each image of a process.
 *
 * Vocabulary
 *   image    a process from its begin, or from an exec or a fork, to its end or to the next exec
 *   chunk    a stretch of the file that one thread fills, in memory that is mapped from the file: what
 *            was written there is in the file, whatever becomes of the process
 *   copy     of a full chunk: it stands elsewhere in the file, so that the memory is used again, and
 *            stays in the processor's cache
 *   ticket   the place of a record in the order of the whole image, from 1. A free's is taken before
 *            the block goes, an allocation's after it was made, and a reallocation that moves has
 *            both: so an address is never seen to be given out before it was given back.
 *   short    of a record: one word of 8 bytes, for a malloc or free of a usual size and place
 *   long     of a record: two words, and two more for each thing that few records have
 *   nested   of a record: it is long, and from a signal handler that came while this very thread wrote
 *            another one
 *
 * Invariants
 *   A short record is stored whole. A long one's first word tells how long it is, and is stored
 *   first; its second word has the ticket, never 0, and is stored last. A process may be killed
 *   anywhere between: a word that is 0 where a record could begin was never begun, a long record
 *   whose second word is 0 never finished. The tickets of one thread nearly ascend: what a signal
 *   handler or a reallocation did in between may stand first. A short record's ticket is the lowest
 *   with its bits that is not below the last one of the thread that was not nested, or the chunk's
 *   `ticket`, where that is later.
 *   A chunk's head is stored, with its magic last, after its room was taken from `used`. Of two
 *   chunks with the same thread and number, the copy is whole.
 *
 * The file is for the very machine that wrote it, and for as long as a recording takes. */
#ifndef HM_TRACES_SPOOL_H
#define HM_TRACES_SPOOL_H

#include <stdint.h>

#define HM_SPOOL_MAGIC       UINT64_C(0x316c6f6f70736d68) /* "hmspool1" */
#define HM_SPOOL_CHUNK_MAGIC UINT64_C(0x6b6e7568636d6870)

/** Of a snapshot's name, behind that of the image's spool and before the snapshot's number. */
#define HM_SPOOL_MAPS ".maps."

/** The environment variable that tells the library what to do: PID:TIMES:STACKS:FOLDER, the only
 *  process that is to be recorded or 0, whether to take times, and how many frames of stacks. */
#define HM_SPOOL_VARIABLE "HEAPMARK_RECORD"

enum {
    HM_SPOOL_HEAD_BYTES = 16 << 10,
    HM_SPOOL_GRANULE = 4 << 10, /* chunks begin at its multiples, and have a multiple of it */
    HM_SPOOL_CHUNK_BYTES = 256 << 10,
    HM_SPOOL_WORD_BYTES = 8,
    HM_SPOOL_NAME_BYTES = 32,
    HM_SPOOL_FRAMES_MAX = 64,
};

/* A short record, from its lowest bit. Places are counted in 16 bytes from one of the head's bases. */
enum {
    HM_SPOOL_IS_SHORT = 1 << 0,
    HM_SPOOL_IS_FREE = 1 << 1, /* else a malloc; of a free with a size, the block is NULL */
    HM_SPOOL_IS_HIGH = 1 << 2, /* counted from the second base */
    HM_SPOOL_PLACE_SHIFT = 3,
    HM_SPOOL_PLACE_BITS = 35,
    HM_SPOOL_TICKET_AT = 38,
    HM_SPOOL_TICKET_BITS = 10,
    HM_SPOOL_SIZE_AT = 48,
};

/* A long record's first word: address, and below it what kind of record it is. */
enum {
    HM_SPOOL_ADDRESS_SHIFT = 16,
    HM_SPOOL_KIND_SHIFT = 1,
    HM_SPOOL_KIND_MASK = 0x1f, /* enum hm_trace_kind, or one of those below, plus 1 */
    HM_SPOOL_FAILED = 1 << 6,  /* of a reallocation: the address is the old one */
    HM_SPOOL_MOVED = 1 << 7,   /* two words follow: old address, ticket taken before the call */
    HM_SPOOL_LARGE = 1 << 8,   /* two words follow: count, size */
    HM_SPOOL_EXTRA = 1 << 9,   /* two words follow: stack's hash, time in ns */
    HM_SPOOL_NESTED = 1 << 10,
    HM_SPOOL_ALIGNMENT_SHIFT = 11, /* 5 bits: log2 */
    HM_SPOOL_STACK = 29,      /* kind: the address counts frames, which follow after two words: hash
                                     and number of the snapshot of modules */
    HM_SPOOL_THREAD_END = 30, /* kind: the thread's last calls may follow */
};

/* Its second word: ticket, and below it a size, or 12 bits of count and 12 bits of size. */
enum {
    HM_SPOOL_TICKET_SHIFT = 24,
    HM_SPOOL_SIZE_MAX = (1 << 24) - 1,
    HM_SPOOL_COUNT_SHIFT = 12,
    HM_SPOOL_COUNT_MAX = (1 << 12) - 1,
};

struct hm_spool_chunk {
    uint64_t magic;
    uint64_t bytes;  /* with this head */
    uint32_t thread; /* in the order of their first chunks */
    uint32_t tid;
    uint32_t number; /* of the thread's chunks, from 0 */
    uint32_t is_copy;
    uint64_t ticket; /* see above */
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
    uint64_t bases[2];  /* of places */
    uint64_t forked_at; /* the last ticket of the parent before the fork */
    uint32_t has_ended; /* by exit, with this status */
    uint32_t status;
    char parent[HM_SPOOL_NAME_BYTES]; /* the image that it was forked from; "" for an exec's */
    uint32_t command_bytes;
    char program[4096];
    char command[8192]; /* arguments, each ends with a NUL; may be cut */
};

_Static_assert(sizeof(struct hm_spool_head) <= HM_SPOOL_HEAD_BYTES, "the head has room");
_Static_assert(sizeof(struct hm_spool_chunk) % HM_SPOOL_WORD_BYTES == 0, "words are aligned");

#endif
