/* Opens a stack of allocators. */
#include "harness/cell/memory.h"

#include <errno.h>

static int open_system(struct hm_memory *out) {
    const struct hm_allocator *system = hm_allocator_find("system");
    const struct hm_heap_options options = {.threads = 1};
    return system ? system->open(out, &options) : ENOENT;
}

/* How many threads may be inside part i at once. */
static unsigned threads_inside(const struct hm_allocator_spec *spec, unsigned i, unsigned threads) {
    for (unsigned above = 0; above < i; above++)
        if (spec->parts[above]->caps & HM_CAP_LOCKS)
            return 1;
    return threads;
}

int hm_memory_stack_open(struct hm_memory_stack *stack, const struct hm_allocator_spec *spec,
                         unsigned threads) {
    *stack = (struct hm_memory_stack){.count = 0};
    int bad = threads > 1 && hm_allocator_spec_alone(spec) ? ENOTSUP : open_system(&stack->system);
    const struct hm_memory *inner = &stack->system;
    for (unsigned i = spec->count; !bad && i-- > 0;) {
        const struct hm_heap_options options = {.params = spec->params[i].values,
                                                .threads = threads_inside(spec, i, threads),
                                                .inner = inner};
        stack->open[i].allocator = spec->parts[i];
        bad = spec->parts[i]->open(&stack->open[i], &options);
        if (bad)
            stack->open[i].allocator = NULL;
        inner = &stack->open[i];
    }
    stack->count = spec->count;
    if (bad)
        hm_memory_stack_close(stack);
    return bad;
}

void hm_memory_stack_close(struct hm_memory_stack *stack) {
    for (unsigned i = 0; i < stack->count; i++) {
        const struct hm_memory *m = &stack->open[i];
        if (m->allocator && m->allocator->close)
            m->allocator->close(m->heap);
    }
    stack->count = 0;
}

int hm_memory_stack_enter(struct hm_memory_stack *stack) {
    for (unsigned i = stack->count; i-- > 0;) {
        const struct hm_memory *m = &stack->open[i];
        int bad = m->allocator->enter ? m->allocator->enter(m->heap) : 0;
        if (bad)
            return bad;
    }
    return 0;
}

void hm_memory_stack_leave(struct hm_memory_stack *stack) {
    for (unsigned i = 0; i < stack->count; i++) {
        const struct hm_memory *m = &stack->open[i];
        if (m->allocator->leave)
            m->allocator->leave(m->heap);
    }
}

static uint64_t metadata_of(const struct hm_memory *m) {
    struct hm_heap_stats stats = {.metadata_bytes = HM_UNKNOWN};
    if (m->allocator->stats)
        m->allocator->stats(m->heap, &stats);
    return stats.metadata_bytes;
}

/* The outermost part adds up what it knows with what lies beneath it. */
uint64_t hm_memory_stack_metadata(const struct hm_memory_stack *stack) {
    const struct hm_memory *base = &stack->open[stack->count - 1];
    return metadata_of(base) == HM_UNKNOWN ? HM_UNKNOWN : metadata_of(hm_memory_stack_top(stack));
}
