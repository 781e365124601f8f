/* Plays a script on an allocator, and answers each line with a row.
 *
 * The rows are `op,id,size,offset,status`: the words of the line, the bytes that were asked for (of a
 * free: what the block was asked for with), where the block lies from the arena's start, and
 *   ok              done
 *   oom             no memory; nothing has changed
 *   not-allocated   the ID has never had a block
 *   double-free     the block is free already
 *   inside-block    the pointer does not point to a block's start
 *   foreign         the pointer is not from this heap
 * NA stands for what is not known: the offset in heaps that no walk() tells about, and of failures.
 *
 * A bad pointer is given to the heap where the heap can say what is wrong with it (first-fit); in all
 * others, whose behaviour it would leave undefined, the line is answered and the heap untouched. */
#ifndef HM_HARNESS_SIM_HEAP_H
#define HM_HARNESS_SIM_HEAP_H

#include "harness/cell/memory.h"
#include "harness/sim/script.h"

enum hm_sim_map {
    HM_SIM_MAP_NONE,
    HM_SIM_MAP_END,  /* after the last row */
    HM_SIM_MAP_EACH, /* after each row */
};

struct hm_sim_heap_options {
    enum hm_sim_map map;
    unsigned width; /* of the map, HM_SIM_WIDTH_MIN .. HM_SIM_WIDTH_MAX */
    FILE *out;
};

/** Whether some part of the stack can walk its arena: without it there is no map, and no offset. */
bool hm_sim_heap_has_map(const struct hm_memory_stack *stack);

/** Play to the end, or to the first bad line. Main thread; the stack is open and entered, and nothing
 *  has been allocated from it.
 *  @return 0, or EINVAL (bad line) or ENOMEM with one line that leaves out where it is */
int hm_sim_heap_play(const struct hm_memory_stack *stack, struct hm_sim_script *script,
                     const struct hm_sim_heap_options *options, struct hm_error *error);

#endif
