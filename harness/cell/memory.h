/* Opens a stack of allocators: the base first, then each layer on the one below it. */
#ifndef HM_HARNESS_CELL_MEMORY_H
#define HM_HARNESS_CELL_MEMORY_H

#include "harness/plan/spec.h"

struct hm_memory_stack {
    struct hm_memory system;               /* under the base */
    struct hm_memory open[HM_SPEC_LAYERS]; /* outermost first, as in the spec */
    unsigned count;
};

/** Open all parts; those beneath a layer that locks, for one thread. Main thread. @param threads that
 * will use it  @return 0, or a positive errno with everything closed again; ENOTSUP: a part works on
 * one thread only. The stack must not move while it is open. */
int hm_memory_stack_open(struct hm_memory_stack *stack, const struct hm_allocator_spec *spec,
                         unsigned threads);
void hm_memory_stack_close(struct hm_memory_stack *stack);

/** Enter and leave all parts, on the thread itself. @return 0 or a positive errno */
int hm_memory_stack_enter(struct hm_memory_stack *stack);
void hm_memory_stack_leave(struct hm_memory_stack *stack);

/** Bytes that the parts need for themselves, all together. The heap is asked from outside: no thread may
 *  be inside. @return HM_UNKNOWN unless the base tells; a layer that does not tell adds nothing */
uint64_t hm_memory_stack_metadata(const struct hm_memory_stack *stack);

/** What workloads call: the outermost heap. */
static inline const struct hm_memory *hm_memory_stack_top(const struct hm_memory_stack *stack) {
    return &stack->open[0];
}

#endif
