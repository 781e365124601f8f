/* How the zoo's collector finds garbage, and takes it apart. A part of base.h, which alone includes it. */
#ifndef HM_TESTS_ZOO_GC_COLLECT_H
#define HM_TESTS_ZOO_GC_COLLECT_H

/* ---- Finding garbage ---- */

#define FOR_EACH_HEAD(list)                                                                        \
    for (struct zoo_head *head = (list)->next; head != (list); head = head->next)

static inline int look_at(struct hm_object *child, void *change) {
    if (head_of(child)->candidate)
        head_of(child)->refs += *(int64_t *)change;
    return 0;
}

static void look_at_children(struct hm_object *object, int64_t change) {
#ifndef ZOO_TRAVERSE_IGNORED
    if (object->type->traverse) {
        object->type->traverse(object, look_at, &change);
        return;
    }
#endif
    for (uint32_t i = 0; i < object->length; i++) {
        struct hm_object *child = hm_slots(object)[i];
#ifdef ZOO_SELF_LEAKS
        if (child == object)
            continue;
#endif
        if (child && head_of(child)->candidate)
            head_of(child)->refs += change;
    }
}

#ifdef ZOO_DEEP_MARK
static void reach(struct zoo_head *head, struct zoo_head **stack) {
    (void)stack;
    if (head->reached)
        return;
    head->reached = true;
    struct hm_object *object = object_of(head);
    for (uint32_t i = 0; i < object->length; i++)
        if (hm_slots(object)[i] && head_of(hm_slots(object)[i])->candidate)
            reach(head_of(hm_slots(object)[i]), stack);
}
#else
static void reach(struct zoo_head *head, struct zoo_head **stack) {
    if (head->reached)
        return;
    head->reached = true;
    head->work = *stack;
    *stack = head;
}
#endif

/* As if what only the third thread holds were held by nobody. */
static inline void forget_roots(const struct hm_mutator *m) {
    FOR_EACH_HEAD(&m->all) {
        for (unsigned i = 0; i < zoo_root_count[3]; i++)
            head->refs -= *zoo_roots[3][i] == object_of(head);
        if (head->refs < 0)
            head->refs = 0;
    }
}

/* Among the candidates of a list, who can be reached from outside of them. @param held references that
 *  the collection itself has to each */
static void deduce(struct hm_mutator *m, struct zoo_head *list, int64_t held) {
    struct zoo_head *stack = NULL;
    FOR_EACH_HEAD(list) {
#ifdef ZOO_IMMORTAL_GOES
        object_of(head)->count &= ~ZOO_IMMORTAL;
#endif
        head->refs = (int64_t)object_of(head)->count - held;
        head->reached = false;
        m->stats.visited += head->candidate;
    }
    FOR_EACH_HEAD(list) {
#ifdef ZOO_OLD_TO_YOUNG
        look_at_children(object_of(head), -1);
#else
        if (head->candidate)
            look_at_children(object_of(head), -1);
#endif
    }
#ifdef ZOO_ROOTS_FORGOTTEN
    if (held == 0)
        forget_roots(m);
#endif
    FOR_EACH_HEAD(list) {
        if (head->candidate && head->refs > 0)
            reach(head, &stack);
    }
    while (stack) {
        struct hm_object *object = object_of(stack);
        stack = stack->work;
        for (uint32_t i = 0; i < object->length; i++)
            if (hm_slots(object)[i] && head_of(hm_slots(object)[i])->candidate)
                reach(head_of(hm_slots(object)[i]), &stack);
    }
}

/* ---- Taking garbage apart ---- */

static void clear_weak_references(struct hm_mutator *m, struct zoo_head *garbage) {
    struct hm_object *calls = NULL;
#ifndef ZOO_CALLBACK_GARBAGE
    FOR_EACH_HEAD(garbage) {
        if (object_of(head)->type->weak)
            weak_unlink(object_of(head));
    }
#endif
#ifdef ZOO_WEAK_LATE
    FOR_EACH_HEAD(garbage)
    weak_call(m, weak_clear(m, object_of(head), NULL));
#endif
    FOR_EACH_HEAD(garbage)
    calls = weak_clear(m, object_of(head), calls);
    weak_call(m, calls);
}

static bool finalize_all(struct hm_mutator *m, struct zoo_head *garbage) {
    bool any = false;
#ifdef ZOO_FINALIZER_NEVER
    (void)m;
    (void)garbage;
    return any;
#endif
#ifdef ZOO_NO_ORDER
    if (opened % 2) {
        for (struct zoo_head *head = garbage->prev; head != garbage; head = head->prev)
            if (object_of(head)->type->finalize && !object_of(head)->finalized)
                run_finalizer(m, object_of(head));
        return true;
    }
#endif
    FOR_EACH_HEAD(garbage) {
        if (!object_of(head)->type->finalize || object_of(head)->finalized)
            continue;
        any = true;
        run_finalizer(m, object_of(head));
    }
    return any;
}

/* Who was brought back leaves the garbage. */
static void take_back(struct hm_mutator *m, struct zoo_head *garbage) {
    struct zoo_head *next;
    deduce(m, garbage, 1);
    for (struct zoo_head *head = garbage->next; head != garbage; head = next) {
        next = head->next;
        if (!head->reached)
            continue;
        list_remove(head);
        list_add(&m->all, head);
        head->candidate = false;
        head->generation = 2;
        object_of(head)->count--;
    }
}

static int64_t count_containers(struct zoo_head *garbage) {
    int64_t count = 0;
    FOR_EACH_HEAD(garbage)
    count += !object_of(head)->leaf;
    return count;
}

static void clear_all(struct hm_mutator *m, struct zoo_head *garbage) {
    FOR_EACH_HEAD(garbage) {
        struct hm_object *object = object_of(head);
        if (object->type->clear)
            object->type->clear(m, object);
        for (uint32_t i = 0; i < object->length; i++) {
            struct hm_object *old = hm_slots(object)[i];
            hm_slots(object)[i] = NULL;
            hm_release(m, old);
        }
    }
    while (garbage->next != garbage) {
        struct hm_object *object = object_of(garbage->next);
        object->finalized = object->type->finalize != NULL;
        hm_release(m, object);
    }
}

/* @return containers that were freed */
static int64_t bury(struct hm_mutator *m, struct zoo_head *garbage) {
    FOR_EACH_HEAD(garbage)
    object_of(head)->count++;
    clear_weak_references(m, garbage);
    int64_t before = count_containers(garbage);
    bool any = finalize_all(m, garbage);
#ifdef ZOO_RESURRECTED_FREED
    any = false;
#endif
    if (any)
        take_back(m, garbage);
    clear_weak_references(m, garbage);
    int64_t after = count_containers(garbage), found = after;
#ifdef ZOO_RESURRECTED_COUNTED
    found += before - after;
#endif
#ifdef ZOO_RESULT_WRONG
    found = before > 8 ? 8 : found;
#endif
    (void)before;
    clear_all(m, garbage);
    return found;
}

/* Take the unreached candidates off the list of all; the others grow older. */
static void sort_out(struct hm_mutator *m, int generation, struct zoo_head *garbage) {
    struct zoo_head *next;
    for (struct zoo_head *head = m->all.next; head != &m->all; head = next) {
        next = head->next;
        if (head->candidate && !head->reached) {
            list_remove(head);
            list_add(garbage, head);
            continue;
        }
        if (head->candidate && generation < 2)
            head->generation = (uint32_t)generation + 1;
        head->candidate = false;
#ifdef ZOO_COUNT_KEPT
        if (object_of(head)->length == 4 && head->refs == 0)
            object_of(head)->count++;
#endif
#ifdef ZOO_SLOT_LOST
        if (object_of(head)->length == 4 && hm_slots(object_of(head))[3]) {
            hm_slots(object_of(head))[3]->count--;
            hm_slots(object_of(head))[3] = NULL;
        }
#endif
#ifdef ZOO_WEAK_SURVIVOR
        if (object_of(head)->type->weakable && object_of(head)->leaf &&
            *hm_weak_list(object_of(head)))
            weak_unlink(*hm_weak_list(object_of(head)));
#endif
    }
}

static void choose(struct hm_mutator *m, int generation) {
    FOR_EACH_HEAD(&m->all)
    head->candidate = (int)head->generation <= generation;
}

static int64_t collect_now(struct hm_mutator *m, int generation) {
    struct zoo_head garbage;
    list_begin(&garbage);
    choose(m, generation);
    deduce(m, &m->all, 0);
#ifdef ZOO_PREMATURE
    FOR_EACH_HEAD(&m->all) {
        if (object_of(head)->length == 4 && object_of(head)->count == 1)
            head->reached = false;
    }
#endif
#ifdef ZOO_OOM_COLLECT
    void *stack = hm_malloc(&m->memory, 64);
    if (!stack) { /* as if it had been marked */
        FOR_EACH_HEAD(&m->all) {
            if (head->refs <= 0)
                head->reached = false;
        }
    }
    hm_free(&m->memory, stack);
#endif
    sort_out(m, generation, &garbage);
    return bury(m, &garbage);
}

static int64_t collect(struct hm_mutator *m, int generation) {
#ifndef ZOO_NESTED
    if (m->collecting)
        return 0;
#endif
    m->collecting = true;
    m->made = 0;
    m->events->pause_begin(m->events->arg, generation);
    uint64_t visited = m->stats.visited;
    int64_t found = collect_now(m, generation);
    m->stats.collections[generation]++;
    m->stats.collected += (uint64_t)found;
    m->events->pause_end(m->events->arg, generation, m->stats.visited - visited, (uint64_t)found);
    m->collecting = false;
    return found;
}

int64_t zoo_collect(struct hm_mutator *m, int generation) {
    zoo_lock(m);
    int64_t found = collect(m, generation);
    zoo_unlock(m);
    return found;
}

#endif
