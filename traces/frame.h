/* Blocks of a trace file: compressed and checked, each by itself. */
#ifndef HM_TRACES_FRAME_H
#define HM_TRACES_FRAME_H

#include "traces/format.h"

struct hm_frame {
    enum hm_trace_block_type type;
    enum hm_trace_encoding encoding;
    uint32_t entries;
    uint32_t raw_bytes;    /* at most HM_TRACE_RAW_MAX */
    uint32_t stored_bytes; /* at most raw_bytes */
    uint64_t offset;       /* of the frame in the file */
    uint64_t checksum;     /* over all of the above, and the stored bytes */
};

/* ---- Reading ---- */

/** Take apart the bytes of a frame, and check each field that can be checked by itself.
 *  @param offset where they are in the file  @return NULL, or what is wrong */
const char *hm_frame_parse(const uint8_t bytes[HM_TRACE_FRAME_BYTES], uint64_t offset,
                           struct hm_frame *frame);

/** Memory for unpacking; the C library's malloc is not called. @return NULL: there is none */
struct hm_unpacker *hm_unpacker_open(void);
void hm_unpacker_close(struct hm_unpacker *unpacker);

/** Check the stored bytes of a block and unpack them. @param raw room for HM_TRACE_RAW_MAX bytes
 *  @return NULL, or what is wrong */
const char *hm_frame_unpack(struct hm_unpacker *unpacker, const struct hm_frame *frame,
                            const uint8_t *stored, uint8_t *raw);

/* ---- Writing ---- */

/** As hm_unpacker_open. */
struct hm_packer *hm_packer_open(void);
void hm_packer_close(struct hm_packer *packer);

/** Pack a block. @param frame its first four fields and offset are given, but for the encoding
 *  @return the frame and the stored bytes behind it, until the next call; *bytes of them */
const uint8_t *hm_frame_pack(struct hm_packer *packer, struct hm_frame *frame, const uint8_t *raw,
                             size_t *bytes);

#endif
