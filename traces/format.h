/* The bytes of a trace file: see docs/trace-format.md, which says all that is here in words.
 *
 * Vocabulary
 *   head   the file's first bytes: magic and version
 *   frame  what stands before each block of the file: type, lengths, checksum
 *   raw    of a block: what it says; stored: the same as it lies in the file, compressed or not
 *   entry  what a block has some of: events, modules, stacks */
#ifndef HM_TRACES_FORMAT_H
#define HM_TRACES_FORMAT_H

#include "traces/trace.h"

#define HM_TRACE_MAGIC "\x89HMT\r\n\x1a\n"

enum {
    HM_TRACE_MAGIC_BYTES = 8,
    HM_TRACE_VERSION = 1,
    HM_TRACE_HEAD_BYTES = 16, /* magic, version, four zero bytes */
    HM_TRACE_FRAME_BYTES = 32,
    HM_TRACE_CHECKED_BYTES = 24, /* of the frame; the checksum follows */
    HM_TRACE_RAW_MAX = 256 << 10,
    HM_TRACE_SLACK = 64, /* an event's bytes are fewer; zeroes that may be read behind a block */
    HM_TRACE_FRAMES_MAX = 255,
    HM_TRACE_TEXT_MAX = 60000,
    HM_TRACE_PATH_MAX = 4096,
    HM_TRACE_BUILD_ID_MAX = 128,
};

/* What nobody's program needs is refused before it takes all memory. */
enum {
    HM_TRACE_THREADS_MAX = 1 << 24,
    HM_TRACE_LIVE_MAX = 1 << 26, /* blocks */
    HM_TRACE_MODULES_MAX = 1 << 16,
    HM_TRACE_STACKS_MAX = 1 << 22,
    HM_TRACE_ALL_FRAMES_MAX = 1 << 26,
};

enum hm_trace_block_type {
    HM_TRACE_BLOCK_FACTS = 1,
    HM_TRACE_BLOCK_MODULES,
    HM_TRACE_BLOCK_STACKS,
    HM_TRACE_BLOCK_EVENTS,
    HM_TRACE_BLOCK_TRAILER,
};

enum hm_trace_encoding {
    HM_TRACE_STORED,
    HM_TRACE_ZSTD,
};

/* The first byte of an event. */
enum {
    HM_TRACE_BYTE_KIND = 0x0f,
    HM_TRACE_BYTE_FAILED = 0x10,
    HM_TRACE_BYTE_THREAD = 0x20, /* not the one of the event before: its number follows */
    HM_TRACE_BYTE_KNOWN = 0x3f,
};

/* What an event names its block by: these, or its age + 1. The youngest block has age 1. */
enum {
    HM_TRACE_REF_NULL,
    HM_TRACE_REF_FOREIGN,
    HM_TRACE_REF_AGE,
};

/* The flags of the facts. */
enum {
    HM_TRACE_FLAG_TIMES = 1,
    HM_TRACE_FLAG_STACKS = 2,
};

/* What the bytes of an event say, in this order, behind its thread, time and stack. */
enum hm_trace_field {
    HM_TRACE_FIELD_REF = 1,
    HM_TRACE_FIELD_ALIGNMENT = 2,
    HM_TRACE_FIELD_COUNT = 4,
    HM_TRACE_FIELD_SIZE = 8,
};

static inline unsigned hm_trace_fields(unsigned kind) {
    static const uint8_t fields[HM_TRACE_KINDS] = {
        [HM_TRACE_MALLOC] = HM_TRACE_FIELD_SIZE,
        [HM_TRACE_CALLOC] = HM_TRACE_FIELD_COUNT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_REALLOC] = HM_TRACE_FIELD_REF | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_REALLOCARRAY] = HM_TRACE_FIELD_REF | HM_TRACE_FIELD_COUNT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_ALIGNED_ALLOC] = HM_TRACE_FIELD_ALIGNMENT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_POSIX_MEMALIGN] = HM_TRACE_FIELD_ALIGNMENT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_MEMALIGN] = HM_TRACE_FIELD_ALIGNMENT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_VALLOC] = HM_TRACE_FIELD_ALIGNMENT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_PVALLOC] = HM_TRACE_FIELD_ALIGNMENT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_INHERITED] = HM_TRACE_FIELD_ALIGNMENT | HM_TRACE_FIELD_SIZE,
        [HM_TRACE_FREE] = HM_TRACE_FIELD_REF,
        [HM_TRACE_USABLE] = HM_TRACE_FIELD_REF,
    };
    return fields[kind];
}

/** Numbers in the file are little-endian on every machine. */
static inline uint64_t hm_trace_get_fixed(const uint8_t *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)in[i] << 8 * i;
    return value;
}

static inline void hm_trace_put_fixed(uint8_t *out, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

#endif
