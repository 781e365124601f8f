/* The mutator's half of `none`: allocate and never free.
 *
 * What a workload costs here is what it costs on any collector: its own work, and the allocator's.
 * One thing is added: the address of each object is appended to a log, 8 bytes that close needs to
 * give everything back. */
#ifndef HM_COLLECTORS_NONE_H
#define HM_COLLECTORS_NONE_H

#include "collectors/collector.h"
#include "collectors/own_objects.h"
#include "collectors/safepoint.h"
#include "collectors/uncounted.h"
#include "collectors/untraced.h"
#include "collectors/weak.h"

#include <errno.h>

/* One page of the log, an object as large as the 4 KiB that it fills. */
struct hm_none_page {
    struct hm_none_page *older;
    struct hm_object *objects[511];
};

struct hm_mutator {
    struct hm_object **log_next; /* where the next address goes, in *newest */
    struct hm_object **log_end;
    struct hm_memory memory;
    struct hm_none_page *newest;
    uint64_t allocated_objects;
    uint64_t allocated_bytes;
};

/** Slow path: start another page of the log. @return false: out of memory */
bool hm_none_extend_log(struct hm_mutator *m);

static inline struct hm_object *hm_none_new(struct hm_mutator *m, const struct hm_type *type,
                                            uint32_t length) {
    if (m->log_next == m->log_end && !hm_none_extend_log(m))
        return NULL;
    size_t bytes = hm_object_bytes(type, length);
    void *block = hm_malloc(&m->memory, bytes);
    if (!block)
        return NULL;
    m->allocated_objects++;
    m->allocated_bytes += bytes;
    return *m->log_next++ = hm_object_init(block, type, 0, length);
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_none_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_none_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)m;
    (void)generation;
    return 0;
}

static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
    return true;
}

#define HM_DISPOSES 0

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

#endif
