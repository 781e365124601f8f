/* Blocks of a trace file. */
#define ZSTD_STATIC_LINKING_ONLY
#include "traces/frame.h"
#include "traces/pages.h"

#include <string.h>
#include <xxhash.h>
#include <zstd.h>

enum {
    LEVEL = 6,
    LEAST_PACKED = 64, /* smaller blocks are stored */
};

/* A context and what it works on lie in one piece of memory, behind this. */
struct workspace {
    size_t bytes;
    union {
        ZSTD_CCtx *packing;
        ZSTD_DCtx *unpacking;
    } context;
    uint8_t *stored;
} __attribute__((aligned(64)));

struct hm_packer {
    struct workspace w;
};

struct hm_unpacker {
    struct workspace w;
};

/* @param stored_bytes room for what is packed, behind the context */
static struct workspace *open_workspace(size_t context_bytes, size_t stored_bytes) {
    context_bytes = (context_bytes + 63) & ~(size_t)63;
    size_t bytes = sizeof(struct workspace) + context_bytes + stored_bytes;
    struct workspace *w = hm_pages_get(bytes);
    if (!w)
        return NULL;
    w->bytes = bytes;
    w->stored = (uint8_t *)(w + 1) + context_bytes;
    return w;
}

static uint64_t checksum_of(const uint8_t *frame, const uint8_t *stored, size_t stored_bytes) {
    uint64_t seed = XXH3_64bits(frame, HM_TRACE_CHECKED_BYTES);
    return XXH3_64bits_withSeed(stored, stored_bytes, seed);
}

static void put_frame(uint8_t *out, const struct hm_frame *frame) {
    out[0] = (uint8_t)frame->type;
    out[1] = (uint8_t)frame->encoding;
    hm_trace_put_fixed(out + 2, 0, 2);
    hm_trace_put_fixed(out + 4, frame->entries, 4);
    hm_trace_put_fixed(out + 8, frame->raw_bytes, 4);
    hm_trace_put_fixed(out + 12, frame->stored_bytes, 4);
    hm_trace_put_fixed(out + 16, frame->offset, 8);
}

/* ---- Reading ---- */

struct hm_unpacker *hm_unpacker_open(void) {
    size_t context_bytes = ZSTD_estimateDCtxSize();
    struct workspace *w = open_workspace(context_bytes, 0);
    if (!w)
        return NULL;
    w->context.unpacking = ZSTD_initStaticDCtx(w + 1, context_bytes);
    return (struct hm_unpacker *)w;
}

void hm_unpacker_close(struct hm_unpacker *unpacker) {
    if (unpacker)
        hm_pages_give(unpacker, unpacker->w.bytes);
}

const char *hm_frame_parse(const uint8_t bytes[HM_TRACE_FRAME_BYTES], uint64_t offset,
                           struct hm_frame *frame) {
    if (bytes[0] < HM_TRACE_BLOCK_FACTS || bytes[0] > HM_TRACE_BLOCK_TRAILER)
        return "no block of a known type";
    if (bytes[1] > HM_TRACE_ZSTD || hm_trace_get_fixed(bytes + 2, 2))
        return "a block that is encoded in an unknown way";
    frame->type = (enum hm_trace_block_type)bytes[0];
    frame->encoding = (enum hm_trace_encoding)bytes[1];
    frame->entries = (uint32_t)hm_trace_get_fixed(bytes + 4, 4);
    frame->raw_bytes = (uint32_t)hm_trace_get_fixed(bytes + 8, 4);
    frame->stored_bytes = (uint32_t)hm_trace_get_fixed(bytes + 12, 4);
    frame->offset = hm_trace_get_fixed(bytes + 16, 8);
    frame->checksum = hm_trace_get_fixed(bytes + 24, 8);
    if (frame->raw_bytes > HM_TRACE_RAW_MAX || frame->entries > frame->raw_bytes ||
        frame->stored_bytes > frame->raw_bytes ||
        (frame->encoding == HM_TRACE_STORED) != (frame->stored_bytes == frame->raw_bytes))
        return "the lengths of a block can not be";
    if (frame->offset != offset)
        return "a block is not in its place";
    return NULL;
}

const char *hm_frame_unpack(struct hm_unpacker *unpacker, const struct hm_frame *frame,
                            const uint8_t *stored, uint8_t *raw) {
    uint8_t bytes[HM_TRACE_FRAME_BYTES];
    put_frame(bytes, frame);
    if (checksum_of(bytes, stored, frame->stored_bytes) != frame->checksum)
        return "a block's checksum is wrong";
    if (frame->encoding == HM_TRACE_STORED) {
        memcpy(raw, stored, frame->raw_bytes);
        return NULL;
    }
    size_t got = ZSTD_decompressDCtx(unpacker->w.context.unpacking, raw, frame->raw_bytes, stored,
                                     frame->stored_bytes);
    return got == frame->raw_bytes ? NULL : "a block can not be unpacked";
}

/* ---- Writing ---- */

struct hm_packer *hm_packer_open(void) {
    size_t context_bytes = ZSTD_estimateCCtxSize(LEVEL);
    struct workspace *w =
        open_workspace(context_bytes, HM_TRACE_FRAME_BYTES + ZSTD_COMPRESSBOUND(HM_TRACE_RAW_MAX));
    if (!w)
        return NULL;
    w->context.packing = ZSTD_initStaticCCtx(w + 1, context_bytes);
    return (struct hm_packer *)w;
}

void hm_packer_close(struct hm_packer *packer) {
    if (packer)
        hm_pages_give(packer, packer->w.bytes);
}

const uint8_t *hm_frame_pack(struct hm_packer *packer, struct hm_frame *frame, const uint8_t *raw,
                             size_t *bytes) {
    uint8_t *out = packer->w.stored;
    size_t raw_bytes = frame->raw_bytes;
    size_t packed = raw_bytes;
    if (raw_bytes >= LEAST_PACKED)
        packed = ZSTD_compressCCtx(packer->w.context.packing, out + HM_TRACE_FRAME_BYTES,
                                   ZSTD_COMPRESSBOUND(HM_TRACE_RAW_MAX), raw, raw_bytes, LEVEL);
    bool is_smaller = !ZSTD_isError(packed) && packed < raw_bytes;
    if (!is_smaller)
        memcpy(out + HM_TRACE_FRAME_BYTES, raw, raw_bytes);
    frame->encoding = is_smaller ? HM_TRACE_ZSTD : HM_TRACE_STORED;
    frame->stored_bytes = is_smaller ? (uint32_t)packed : frame->raw_bytes;
    put_frame(out, frame);
    frame->checksum = checksum_of(out, out + HM_TRACE_FRAME_BYTES, frame->stored_bytes);
    hm_trace_put_fixed(out + HM_TRACE_CHECKED_BYTES, frame->checksum, 8);
    *bytes = HM_TRACE_FRAME_BYTES + frame->stored_bytes;
    return out;
}
