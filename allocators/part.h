/* What every pluggable part (allocator, collector, workload) declares: its parameters and its entry
 * in the registry.
 *
 * A part is one file. It ends with a descriptor and HM_REGISTER, which puts a pointer to the
 * descriptor into a linker section; the harness walks that section, so no list names the parts. */
#ifndef HM_ALLOCATORS_PART_H
#define HM_ALLOCATORS_PART_H

#include <stddef.h>
#include <stdint.h>

enum hm_param_kind {
    HM_PARAM_COUNT,  /* a whole number; K, M and G multiply by powers of 1000 */
    HM_PARAM_BYTES,  /* a size in bytes; K, M and G multiply by powers of 1024 */
    HM_PARAM_CHOICE, /* one word of `choices`; its value is the word's index */
    HM_PARAM_TEXT,   /* anything without ':' and ','; a file name, usually */
};

/** One parameter of a part, as `name=value` in a spec. Tables of them end at name == NULL. */
struct hm_param {
    const char *name;
    const char *unit; /* "bytes", "ns", "objects", ...; "" for choices and texts */
    const char *help; /* one line, no full stop */
    enum hm_param_kind kind;
    int64_t initial; /* default; the index of the default word for a choice */
    int64_t min;     /* smallest and largest accepted number */
    int64_t max;
    const char *choices; /* "scan|bitmap|tree" */
};

/** A parameter's value in one spec, in the order of the part's table. */
struct hm_value {
    int64_t number;
    const char *text; /* HM_PARAM_TEXT only; "" when not given */
};

/** Register a descriptor: `HM_REGISTER(hm_allocator, pool)` for `static const struct hm_allocator pool`. */
#define HM_REGISTER(kind, descriptor)                                                              \
    __attribute__((                                                                                \
        used,                                                                                      \
        section(#kind "_parts"))) static const struct kind *const hm_registered_##descriptor =     \
        &(descriptor)

#endif
