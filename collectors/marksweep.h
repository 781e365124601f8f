/* The mutator's half of `marksweep`: allocate until the heap has grown to its limit, and register roots.
 *
 * Each mutator has logs and roots of its own, which nobody else touches but who has stopped it.
 *
 * Words
 *   log         where the objects are: their addresses in pages, as the allocator below can be any.
 *               Objects with a finalizer, targets of weak references and these themselves are in a log
 *               of their own, `special`, so that their passes look at nobody else.
 *   epoch       changes with each marking. An object is marked if its count is the epoch.
 *   room        bytes that may be allocated before a collection is due. Mutators take it in shares, so that
 *               they seldom meet: all together never allocate more.
 *   limit       of a mutator: an allocation that would take the bytes it has allocated beyond it asks
 *               for more room.
 *   lost root   a variable that could not be registered because memory was out. As long as there is
 *               one nothing is collected.
 *
 * Invariant: between collections all objects are marked; an unmarked one is garbage that a collection
 * has found. */
#ifndef HM_COLLECTORS_MARKSWEEP_H
#define HM_COLLECTORS_MARKSWEEP_H

#include "collectors/collector.h"
#include "collectors/object_log.h"
#include "collectors/own_objects.h"
#include "collectors/safepoint.h"
#include "collectors/uncounted.h"
#include "collectors/weak.h"

#include <errno.h>

#define HM_MARKSWEEP_FEW 64
/* What an object costs beside its own bytes: its address in a log. */
#define HM_MARKSWEEP_ENTRY sizeof(struct hm_object *)

struct hm_mutator {
    uint64_t allocated_bytes;
    uint64_t limit_bytes;
    struct hm_log plain, special;
    struct hm_memory memory;
    uint64_t allocated_objects;
    uint32_t epoch;
    size_t roots_used, roots_capacity; /* used is above capacity when there are lost roots */
    struct hm_object ***roots;
    struct hm_object **few_roots[HM_MARKSWEEP_FEW]; /* the first memory of `roots` */
    struct hm_gc *gc;
    struct hm_object **plain_end, **special_end; /* of the logs, when garbage was found last */
    bool attached;
    bool collecting; /* a collection of ours is going on: another one does nothing */
    char apart[128]; /* from what others write */
};

/** Slow path of hm_new: the limit is reached. Collects, if that is due and allowed.
 *  @param bytes of the object */
void hm_marksweep_overflow(struct hm_mutator *m, size_t bytes);
/** Slow path of hm_new: the log is full. @return false with ENOMEM, even after a collection */
bool hm_marksweep_extend(struct hm_mutator *m, struct hm_log *log);
/** Slow path of hm_new: no memory. One collection and one retry. @return a block, and the log is not
 *  full; or NULL with ENOMEM */
void *hm_marksweep_retry(struct hm_mutator *m, struct hm_log *log, size_t bytes);
/** Slow path of hm_root: more room for roots, or a lost root. */
void hm_marksweep_root(struct hm_mutator *m, struct hm_object **variable);
int64_t hm_marksweep_collect(struct hm_mutator *m);
bool hm_marksweep_immortalize(struct hm_mutator *m, struct hm_object *object);

static inline bool hm_marksweep_is_special(const struct hm_type *type) {
    return type->finalize || type->weakable || type->weak;
}

static inline struct hm_object *hm_marksweep_new(struct hm_mutator *m, const struct hm_type *type,
                                                 uint32_t length) {
    struct hm_log *log = hm_marksweep_is_special(type) ? &m->special : &m->plain;
    size_t bytes = hm_object_bytes(type, length);
    if (m->allocated_bytes + bytes > m->limit_bytes)
        hm_marksweep_overflow(m, bytes);
    if (hm_log_is_full(log) && !hm_marksweep_extend(m, log))
        return NULL;
    void *block = hm_malloc(&m->memory, bytes);
    if (!block && !(block = hm_marksweep_retry(m, log, bytes)))
        return NULL;
    m->allocated_objects++;
    m->allocated_bytes += bytes + HM_MARKSWEEP_ENTRY;
    struct hm_object *object = hm_object_init(block, type, m->epoch, length);
    hm_log_append(log, object);
    return object;
}

static inline struct hm_object *hm_new(struct hm_mutator *m, const struct hm_type *type) {
    return hm_marksweep_new(m, type, type->slots);
}

static inline struct hm_object *hm_new_array(struct hm_mutator *m, const struct hm_type *type,
                                             uint32_t length) {
    if (length <= HM_LENGTH_MAX)
        return hm_marksweep_new(m, type, length);
    errno = ENOMEM;
    return NULL;
}

static inline void hm_root(struct hm_mutator *m, struct hm_object **variable) {
    if (m->roots_used < m->roots_capacity)
        m->roots[m->roots_used++] = variable;
    else
        hm_marksweep_root(m, variable);
}

static inline void hm_unroot(struct hm_mutator *m, unsigned count) {
    m->roots_used -= count;
}

static inline int64_t hm_collect(struct hm_mutator *m, int generation) {
    (void)generation;
    return hm_marksweep_collect(m);
}

/* It is a root from now on. */
static inline bool hm_immortalize(struct hm_mutator *m, struct hm_object *object) {
    return hm_marksweep_immortalize(m, object);
}

#define HM_DISPOSES 0

static inline void hm_dispose(struct hm_mutator *m, struct hm_object *object) {
    (void)m;
    (void)object;
}

#endif
