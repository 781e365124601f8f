/* What a reader knows by number: modules and stacks; and the texts that it gave out.
 *
 * Invariants
 *   A text, once given out, stays where it is until hm_tables_close. A block that was taken is not
 *   taken again when the file is read from its begin once more. */
#ifndef HM_TRACES_TABLES_H
#define HM_TRACES_TABLES_H

#include "traces/frame.h"

struct hm_tables_array {
    void *items;
    size_t bytes; /* of memory */
};

struct hm_tables {
    struct hm_tables_texts *texts; /* the chunk that is being filled; it leads to those before it */
    struct hm_tables_array modules, stacks, frames;
    size_t module_count, stack_count, frame_count;
    uint64_t taken; /* up to this offset in the file */
};

void hm_tables_close(struct hm_tables *tables);

/** Take in a block of facts, modules or stacks, which is unpacked and has HM_TRACE_SLACK zeroes behind
 *  it. @return NULL, or what is wrong */
const char *hm_tables_take_facts(struct hm_tables *tables, const uint8_t *raw, size_t bytes,
                                 struct hm_trace_facts *facts);
const char *hm_tables_take(struct hm_tables *tables, const struct hm_frame *frame,
                           const uint8_t *raw);

/** As hm_trace_stack. */
size_t hm_tables_stack(const struct hm_tables *tables, uint32_t stack,
                       struct hm_trace_frame *frames, size_t room);

#endif
