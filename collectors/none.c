/* Never frees an object: the lower bound that collectors are measured against. */
#define HM_COLLECTOR_HEADER "collectors/none.h"
#include "collectors/collector.h"

#include "collectors/isolated.h"

bool hm_none_extend_log(struct hm_mutator *m) {
    struct hm_none_page *page = hm_malloc(&m->memory, sizeof *page);
    if (!page)
        return false;
    page->older = m->newest;
    m->newest = page;
    m->log_next = page->objects;
    m->log_end = page->objects + sizeof page->objects / sizeof *page->objects;
    return true;
}

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    int bad = hm_isolated_new(out, options);
    if (!bad)
        (*out)->mutator.memory = *options->memory;
    return bad;
}

static void close_gc(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    const struct hm_memory memory = m->memory;
    struct hm_object **end = m->log_next;
    while (m->newest) {
        struct hm_none_page *page = m->newest;
        for (struct hm_object **o = page->objects; o < end; o++)
            hm_free(&memory, *o);
        m->newest = page->older;
        if (m->newest)
            end = m->newest->objects + sizeof page->objects / sizeof *page->objects;
        hm_free(&memory, page);
    }
    hm_free(&memory, gc);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    *out = (struct hm_gc_stats){.allocated_objects = gc->mutator.allocated_objects,
                                .allocated_bytes = gc->mutator.allocated_bytes,
                                .header_bytes = sizeof(struct hm_object)};
}

static const struct hm_collector hm_none = {
    .name = "none",
    .summary = "never frees: what the mutator and the allocator cost by themselves",
    .origin = "the NoGC plan of MMTk and the Epsilon collector of the JVM",
    .caps = HM_GC_GIL,
    .open = open_gc,
    .close = close_gc,
    .attach = hm_isolated_attach,
    .detach = hm_isolated_detach,
    .stats = stats,
};
HM_REGISTER(hm_collector, hm_none);
