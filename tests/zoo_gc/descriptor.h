/* The cold half of the zoo's collector: opening, closing, what it tells, and the descriptor. The end of
 * base.h, which alone includes it. */
#ifndef HM_TESTS_ZOO_GC_DESCRIPTOR_H
#define HM_TESTS_ZOO_GC_DESCRIPTOR_H

static int open_gc(struct hm_gc **out, const struct hm_gc_options *options) {
    if (options->mutators > 1 && options->threading == HM_ISOLATED)
        return ENOTSUP;
    struct hm_gc *gc = hm_calloc(options->memory, 1, sizeof *gc);
    void *table = gc ? hm_malloc(options->memory, 64) : NULL;
    if (!table) {
#ifndef ZOO_OPEN_LEAKS
        hm_free(options->memory, gc);
#endif
        return ENOMEM;
    }
    struct hm_mutator *m = &gc->mutator;
    *m = (struct hm_mutator){
        .memory = *options->memory,
        .events = options->events,
        .automatic = true,
        .thresholds = {700, 10, 10},
        .table = table,
        .stats = {.header_bytes = sizeof(struct zoo_head) + sizeof(struct hm_object)}};
    pthread_mutexattr_t again;
    pthread_mutexattr_init(&again);
    pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&m->lock, &again);
    gc->announced = options->mutators;
    list_begin(&m->all);
    *out = gc;
    opened++;
    return 0;
}

static void close_gc(struct hm_gc *gc) {
    struct hm_mutator *m = &gc->mutator;
    const struct hm_memory memory = m->memory;
#ifdef ZOO_CLOSE_FINALIZES
    FOR_EACH_HEAD(&m->all) {
        if (object_of(head)->type->finalize && !object_of(head)->finalized)
            run_finalizer(m, object_of(head));
    }
#endif
    while (m->all.next != &m->all) {
        struct zoo_head *head = m->all.next;
        list_remove(head);
        hm_free(&memory, head);
    }
    for (int list = 0; list < HM_FREE_LISTS; list++)
        while (m->kept[list]) {
            struct zoo_head *head = m->kept[list];
            m->kept[list] = head->work;
            hm_free(&memory, head);
        }
#ifndef ZOO_CLOSE_LEAKS
    hm_free(&memory, m->table);
#endif
    hm_free(&memory, gc);
}

static struct hm_mutator *attach(struct hm_gc *gc) {
    struct hm_mutator *m = NULL;
    zoo_lock(&gc->mutator);
    if (gc->attached < gc->announced) {
        gc->attached++;
        zoo_self = ++gc->used % ZOO_THREADS_MAX;
        zoo_root_count[zoo_self] = 0;
        m = &gc->mutator;
    }
    zoo_unlock(&gc->mutator);
    return m;
}

static void detach(struct hm_mutator *mutator) {
    zoo_lock(mutator);
#ifdef ZOO_LEAVER_LOSES
    FOR_EACH_HEAD(&mutator->all) {
        if (head->maker == zoo_self && zoo_self > 1 && object_of(head)->leaf == 0)
            memset(hm_slots(object_of(head)), 0, sizeof(void *) * object_of(head)->length);
    }
#endif
    ((struct hm_gc *)(void *)mutator)->attached--;
    zoo_unlock(mutator);
}

static void stats(struct hm_gc *gc, struct hm_gc_stats *out) {
    *out = gc->mutator.stats;
}

static void enable(struct hm_gc *gc, bool automatic) {
    gc->mutator.automatic = automatic;
}

static bool is_enabled(struct hm_gc *gc) {
    return gc->mutator.automatic;
}

static void get_threshold(struct hm_gc *gc, int64_t out[3]) {
    memcpy(out, gc->mutator.thresholds, sizeof gc->mutator.thresholds);
}

static void set_threshold(struct hm_gc *gc, const int64_t thresholds[3]) {
    memcpy(gc->mutator.thresholds, thresholds, sizeof gc->mutator.thresholds);
}

static int generation_of(struct hm_gc *gc, struct hm_object *object) {
    (void)gc;
    return (int)head_of(object)->generation;
}

static const struct hm_gc_control control = {.enable = enable,
                                             .is_enabled = is_enabled,
                                             .get_threshold = get_threshold,
                                             .set_threshold = set_threshold,
                                             .generation_of = generation_of};

static const struct hm_collector zoo = {
    .name = "zoo",
    .summary = "reference counting, and cycles by references from outside",
    .origin = "after CPython 3.11, Modules/gcmodule.c",
    .caps = HM_GC_FREES | HM_GC_CYCLES | HM_GC_GENERATIONS | HM_GC_GIL | HM_GC_FREE,
    .open = open_gc,
    .close = close_gc,
    .attach = attach,
    .detach = detach,
    .stats = stats,
    .control = &control,
};
HM_COLLECTOR_PLUGIN(zoo);

#endif
