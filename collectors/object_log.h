/* A list of objects in pages of addresses, 8 bytes for each: it finds all objects that an arbitrary
 * allocator has handed out, in the order of their allocation.
 *
 * Invariant: all pages but the last are full. The log may grow while it is read, at its end only. */
#ifndef HM_COLLECTORS_OBJECT_LOG_H
#define HM_COLLECTORS_OBJECT_LOG_H

#include "allocators/allocator.h"
#include "collectors/object.h"

#define HM_LOG_OBJECTS 511

/* As large as the 4 KiB that it fills. */
struct hm_log_page {
    struct hm_log_page *newer;
    struct hm_object *objects[HM_LOG_OBJECTS];
};

/* Empty when all is NULL. */
struct hm_log {
    struct hm_object **next, **end; /* where the next address goes, in *last */
    struct hm_log_page *first, *last;
};

/* Where in a log something is read or written; page is NULL in an empty one. */
struct hm_log_place {
    struct hm_log_page *page;
    struct hm_object **at;
};

static inline bool hm_log_is_full(const struct hm_log *log) {
    return log->next == log->end;
}

/** Of a log that is not full. */
static inline void hm_log_append(struct hm_log *log, struct hm_object *object) {
    *log->next++ = object;
}

static inline struct hm_object **hm_log_page_end(struct hm_log_page *page) {
    return page->objects + HM_LOG_OBJECTS;
}

/** Where the addresses in a page end. */
static inline struct hm_object **hm_log_end(const struct hm_log *log, struct hm_log_page *page) {
    return page == log->last ? log->next : hm_log_page_end(page);
}

/** Add a page to a log that is full. @return false with ENOMEM */
static inline bool hm_log_extend(struct hm_log *log, const struct hm_memory *memory) {
    struct hm_log_page *page = hm_malloc(memory, sizeof *page);
    if (!page)
        return false;
    page->newer = NULL;
    if (log->last)
        log->last->newer = page;
    else
        log->first = page;
    log->last = page;
    log->next = page->objects;
    log->end = hm_log_page_end(page);
    return true;
}

static inline struct hm_log_place hm_log_start(const struct hm_log *log) {
    struct hm_log_page *page = log->first;
    return (struct hm_log_place){page, page ? page->objects : NULL};
}

/** Read at a place; to go on, count `at` up. @return NULL: the log ends here, for now */
static inline struct hm_object *hm_log_get(const struct hm_log *log, struct hm_log_place *from) {
    if (!from->page)
        return NULL;
    if (from->at == hm_log_page_end(from->page) && from->page->newer) {
        from->page = from->page->newer;
        from->at = from->page->objects;
    }
    return from->at == hm_log_end(log, from->page) ? NULL : *from->at;
}

/** The same up to an end that the log had; another thread may append to it meanwhile. */
static inline struct hm_object *hm_log_get_before(struct hm_log_place *from,
                                                  struct hm_object *const *end) {
    if (from->at != end && from->at == hm_log_page_end(from->page)) {
        from->page = from->page->newer;
        from->at = from->page->objects;
    }
    return from->at == end ? NULL : *from->at;
}

/** Write at a place that is not behind what was read, and go on. */
static inline void hm_log_put(struct hm_log_place *to, struct hm_object *object) {
    if (to->at == hm_log_page_end(to->page)) {
        to->page = to->page->newer;
        to->at = to->page->objects;
    }
    *to->at++ = object;
}

/** The log ends at a place, and pages behind it are given back. It may be full then. */
static inline void hm_log_cut(struct hm_log *log, const struct hm_memory *memory,
                              struct hm_log_place to) {
    while (to.page->newer) {
        struct hm_log_page *page = to.page->newer;
        to.page->newer = page->newer;
        hm_free(memory, page);
    }
    log->last = to.page;
    log->next = to.at;
    log->end = hm_log_page_end(to.page);
}

/** Give back all pages; not the objects. */
static inline void hm_log_close(struct hm_log *log, const struct hm_memory *memory) {
    while (log->first) {
        struct hm_log_page *page = log->first;
        log->first = page->newer;
        hm_free(memory, page);
    }
    *log = (struct hm_log){0};
}

#endif
