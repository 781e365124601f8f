/* Several mutators on one collector: what their pieces are, and what each can do. */
#include "harness/verify_gc/crew.h"

#include "collectors/safepoint.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

enum {
    SMALL = 8,
    LARGE = 1500,
    REST_NS = 30 * 1000,
    SWITCH_NS =
        100 * 1000,       /* of the global lock: else a round is over before anybody asks for it */
    SMALL_MIN = 32 << 10, /* bytes, and containers, that an automatic collection waits for */
    SMALL_THRESHOLD = 30,
    PARAMS_MAX = HM_SPEC_PARAMS,
};

static struct hm_crew *current;

/* ---- The heap, for several threads ---- */

static void *locked_malloc(struct hm_heap *heap, size_t size) {
    pthread_mutex_lock(&current->heap_lock);
    void *p = current->heap.memory.calls.malloc(heap, size);
    pthread_mutex_unlock(&current->heap_lock);
    return p;
}

static void *locked_calloc(struct hm_heap *heap, size_t count, size_t size) {
    pthread_mutex_lock(&current->heap_lock);
    void *p = current->heap.memory.calls.calloc(heap, count, size);
    pthread_mutex_unlock(&current->heap_lock);
    return p;
}

static void *locked_realloc(struct hm_heap *heap, void *address, size_t size) {
    pthread_mutex_lock(&current->heap_lock);
    void *p = current->heap.memory.calls.realloc(heap, address, size);
    pthread_mutex_unlock(&current->heap_lock);
    return p;
}

static void *locked_aligned_alloc(struct hm_heap *heap, size_t alignment, size_t size) {
    pthread_mutex_lock(&current->heap_lock);
    void *p = current->heap.memory.calls.aligned_alloc(heap, alignment, size);
    pthread_mutex_unlock(&current->heap_lock);
    return p;
}

static void locked_free(struct hm_heap *heap, void *address) {
    pthread_mutex_lock(&current->heap_lock);
    current->heap.memory.calls.free(heap, address);
    pthread_mutex_unlock(&current->heap_lock);
}

static size_t locked_usable_size(struct hm_heap *heap, void *address) {
    pthread_mutex_lock(&current->heap_lock);
    size_t size = current->heap.memory.calls.usable_size(heap, address);
    pthread_mutex_unlock(&current->heap_lock);
    return size;
}

/* Owners are pieces of all hands, one hand after the other. */
static void note_freed(void *arg, int owner) {
    struct hm_crew *crew = arg;
    struct hm_piece *piece = &crew->hands[owner / HM_CREW_PIECES].pieces[owner % HM_CREW_PIECES];
    __atomic_store_n(&piece->freed, true, __ATOMIC_RELAXED);
}

static void note_bad_free(void *arg, const char *what) {
    struct hm_crew *crew = arg;
    hm_check_fail(crew->check, "%s", what);
}

static void note_pause_begin(void *arg, int generation) {
    struct hm_crew *crew = arg;
    (void)generation;
    if (__atomic_fetch_add(&crew->pausing, 1, __ATOMIC_RELAXED))
        hm_check_fail(crew->check, "a pause began during another one");
    __atomic_fetch_add(&crew->pauses, 1, __ATOMIC_RELAXED);
}

static void note_pause_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    struct hm_crew *crew = arg;
    (void)generation;
    (void)visited;
    (void)freed;
    if (__atomic_fetch_sub(&crew->pausing, 1, __ATOMIC_RELAXED) == 0)
        hm_check_fail(crew->check, "a pause ended that did not begin");
}

/* ---- Opening and closing ---- */

/* Where a collector has them and they were not given: small, so that allocations collect, too. */
static void lower(struct hm_check *c, struct hm_value values[PARAMS_MAX]) {
    const struct hm_param *params = c->collector->params;
    for (int i = 0; params && params[i].name && i < PARAMS_MAX; i++) {
        values[i] = c->spec->params.values[i];
        if (values[i].number != params[i].initial)
            continue;
        if (!strcmp(params[i].name, "min"))
            values[i].number = SMALL_MIN;
        if (!strcmp(params[i].name, "threshold"))
            values[i].number = SMALL_THRESHOLD;
    }
}

static void open_heap(struct hm_crew *crew) {
    if (hm_poison_open(&crew->heap))
        hm_check_fail(crew->check, "no memory for the heap under the collector");
    crew->heap.freed = note_freed;
    crew->heap.bad_free = note_bad_free;
    crew->heap.arg = crew;
    crew->memory = crew->heap.memory;
    crew->memory.calls.malloc = locked_malloc;
    crew->memory.calls.calloc = locked_calloc;
    crew->memory.calls.realloc = locked_realloc;
    crew->memory.calls.aligned_alloc = locked_aligned_alloc;
    crew->memory.calls.free = locked_free;
    crew->memory.calls.usable_size = locked_usable_size;
}

void hm_gc_crew_open(struct hm_crew *crew, struct hm_check *c, enum hm_threading threading) {
    static const int64_t thresholds[3] = {SMALL_THRESHOLD, 3, 3};
    static struct hm_value values[PARAMS_MAX];
    memset(crew, 0, sizeof *crew);
    current = crew;
    crew->check = c;
    crew->threading = threading;
    crew->events = (struct hm_gc_events){
        .pause_begin = note_pause_begin, .pause_end = note_pause_end, .arg = crew};
    pthread_mutex_init(&crew->heap_lock, NULL);
    pthread_mutex_init(&crew->mailbox_lock, NULL);
    pthread_barrier_init(&crew->barrier, NULL, HM_CREW_HANDS);
    open_heap(crew);
    lower(c, values);
    hm_mutators_open(threading);
    hm_mutators_gil.interval_ns = SWITCH_NS;
    const struct hm_gc_options options = {.params = values,
                                          .memory = &crew->memory,
                                          .events = &crew->events,
                                          .mutators = HM_CREW_HANDS,
                                          .threading = threading};
    int bad = c->collector->open(&crew->gc, &options);
    if (bad)
        hm_check_fail(c, "open for %d mutators failed: %s", HM_CREW_HANDS, strerror(bad));
    if (hm_check_control(c)->set_threshold)
        hm_check_control(c)->set_threshold(crew->gc, thresholds);
    for (unsigned i = 0; i < HM_CREW_HANDS; i++) {
        crew->hands[i].crew = crew;
        crew->hands[i].number = i;
        crew->hands[i].random = hm_random_of(c->seed, i);
    }
}

void hm_gc_crew_close(struct hm_crew *crew) {
    struct hm_check *c = crew->check;
    if (crew->pausing)
        hm_check_fail(c, "a pause did not end");
    c->collector->close(crew->gc);
    const char *damage = hm_poison_find_damage(&crew->heap);
    uint64_t lost = crew->blind ? 0 : hm_poison_unowned(&crew->heap);
    if (damage)
        hm_check_fail(c, "%s", damage);
    if (lost)
        hm_check_fail(c, "close did not give back %" PRIu64 " blocks that are no objects", lost);
    hm_poison_close(&crew->heap);
    pthread_barrier_destroy(&crew->barrier);
    pthread_mutex_destroy(&crew->mailbox_lock);
    pthread_mutex_destroy(&crew->heap_lock);
    hm_mutators_open(HM_ISOLATED);
    current = NULL;
}

void hm_hand_join(struct hm_hand *h) {
    struct hm_check *c = h->crew->check;
    hm_mutators_enter();
    h->m = c->collector->attach(h->crew->gc);
    if (!h->m)
        hm_check_fail(c, "attach gives no mutator to thread %u", h->number);
    for (int i = 0; i < HM_CREW_PLACES; i++)
        c->ops->root(h->m, &h->places[i]);
}

void hm_hand_part(struct hm_hand *h) {
    h->crew->check->ops->unroot(h->m, HM_CREW_PLACES);
    h->crew->check->collector->detach(h->m);
    h->m = NULL;
    hm_mutators_leave();
}

/* ---- What the types do ---- */

static uint64_t number_of(const struct hm_piece *piece) {
    const struct hm_hand *h = current->hands;
    while (!hm_hand_made(h, piece))
        h++;
    return h->number * (uint64_t)HM_CREW_PIECES + (uint64_t)(piece - h->pieces);
}

static void finalize(struct hm_mutator *m, struct hm_object *object) {
    struct hm_crew *crew = current;
    uint64_t number;
    (void)m;
    memcpy(&number, crew->check->ops->payload(object), sizeof number);
    if (number >= (uint64_t)HM_CREW_HANDS * HM_CREW_PIECES)
        hm_check_fail(crew->check, "a finalizer was run on what is no object");
    struct hm_piece *piece = &crew->hands[number / HM_CREW_PIECES].pieces[number % HM_CREW_PIECES];
    if (piece->object != object)
        hm_check_fail(crew->check, "a finalizer was run on what is no object");
    if (__atomic_load_n(&piece->freed, __ATOMIC_RELAXED))
        hm_check_fail(crew->check, "the finalizer of object %" PRIu64 " ran after it was freed",
                      number);
    if (__atomic_fetch_add(&piece->finalized, 1, __ATOMIC_RELAXED))
        hm_check_fail(crew->check, "the finalizer of object %" PRIu64 " ran twice", number);
    __atomic_fetch_add(&crew->ended, 1, __ATOMIC_RELAXED);
}

/* Weak references are made in turns only, and are in no hand's way. */
static struct hm_piece *find_weak(const struct hm_crew *crew, const struct hm_object *object) {
    for (const struct hm_hand *h = crew->hands; h < crew->hands + HM_CREW_HANDS; h++)
        for (int i = HM_CREW_WEAK; i < HM_CREW_MAILBOX; i++)
            if (h->held[i] && h->held[i]->object == object)
                return h->held[i];
    return NULL;
}

static void call(struct hm_mutator *m, struct hm_object *reference) {
    struct hm_crew *crew = current;
    struct hm_piece *weak = find_weak(crew, reference);
    if (!weak || !weak->calls_back)
        hm_check_fail(crew->check, "a callback was run on what is no weak reference of anybody's");
    if (__atomic_fetch_add(&weak->called, 1, __ATOMIC_RELAXED))
        hm_check_fail(crew->check, "the callback of weak reference %" PRIu64 " ran twice",
                      number_of(weak));
    if (crew->check->ops->weak_get(m, reference))
        hm_check_fail(crew->check, "the callback of weak reference %" PRIu64 " saw its target",
                      number_of(weak));
    __atomic_fetch_add(&crew->ended, 1, __ATOMIC_RELAXED);
}

static const struct hm_type *draw_type(struct hm_random *random) {
    static const struct hm_type types[] = {
        {.name = "pair", .slots = 2, .payload_bytes = SMALL, .weakable = true},
        {.name = "array", .variable = true, .payload_bytes = SMALL, .weakable = true},
        {.name = "finalized pair", .slots = 2, .payload_bytes = SMALL, .finalize = finalize},
        {.name = "large", .slots = 1, .payload_bytes = LARGE, .weakable = true},
    };
    return &types[hm_random_below(random, sizeof types / sizeof *types)];
}

static const struct hm_type *anchor_type(struct hm_random *random) {
    static const struct hm_type types[] = {
        {.name = "anchor", .slots = 2, .payload_bytes = SMALL, .weakable = true},
        {.name = "finalized anchor",
         .slots = 2,
         .payload_bytes = SMALL,
         .weakable = true,
         .finalize = finalize},
    };
    return &types[hm_random_below(random, 2)];
}

static const struct hm_type mailbox_type = {
    .name = "mailbox", .slots = HM_CREW_SLOTS, .payload_bytes = SMALL};

/* ---- What a hand does ---- */

bool hm_hand_made(const struct hm_hand *h, const struct hm_piece *piece) {
    return piece >= h->pieces && piece < h->pieces + HM_CREW_PIECES;
}

static struct hm_piece *adopt(struct hm_hand *h, const struct hm_piece *made) {
    struct hm_crew *crew = h->crew;
    if (!made->object)
        hm_check_fail(crew->check, "a new object is NULL, and there is memory");
    int n = h->used++;
    h->pieces[n] = *made;
    pthread_mutex_lock(&crew->heap_lock);
    if (!hm_poison_own(&crew->heap, made->object, (int)h->number * HM_CREW_PIECES + n))
        crew->blind = true;
    pthread_mutex_unlock(&crew->heap_lock);
    return &h->pieces[n];
}

static const struct hm_type *type_at(struct hm_hand *h, int place) {
    if (place == HM_CREW_MAILBOX)
        return &mailbox_type;
    return place >= HM_CREW_ANCHOR ? anchor_type(&h->random) : draw_type(&h->random);
}

struct hm_piece *hm_hand_new(struct hm_hand *h, int place) {
    const struct hm_sim_mutator *ops = h->crew->check->ops;
    if (h->used == HM_CREW_PIECES)
        return NULL;
    const struct hm_type *type = type_at(h, place);
    uint32_t length =
        type->variable ? 1 + (uint32_t)hm_random_below(&h->random, HM_CREW_SLOTS) : type->slots;
    struct hm_piece made = {
        .object = ops->new (h->m, type, length), .type = type, .length = length};
    made.slots[0] = h->held[place];
    struct hm_piece *piece = adopt(h, &made);
    uint64_t number = number_of(piece);
    memcpy(ops->payload(piece->object), &number, sizeof number);
    ops->init_store(h->m, piece->object, 0, h->places[place]);
    h->held[place] = piece;
    h->places[place] = piece->object;
    return piece;
}

void hm_hand_weak(struct hm_hand *h, int to, int place) {
    struct hm_crew *crew = h->crew;
    struct hm_piece made = {.target = h->held[to], .length = 1, .calls_back = !crew->no_callbacks};
    errno = 0;
    made.object = crew->check->ops->weak_new(h->m, h->places[to], made.calls_back ? call : NULL);
    if (!made.object && errno == ENOTSUP && made.calls_back) {
        crew->no_callbacks = true;
        made.calls_back = false;
        made.object = crew->check->ops->weak_new(h->m, h->places[to], NULL);
    }
    hm_hand_put(h, place, adopt(h, &made));
}

void hm_hand_put(struct hm_hand *h, int place, struct hm_piece *piece) {
    struct hm_object *before = h->places[place];
    h->places[place] = piece ? piece->object : NULL;
    h->crew->check->ops->release(h->m, before);
    h->held[place] = piece;
}

void hm_hand_share(struct hm_hand *h, int place, struct hm_piece *piece) {
    if (piece)
        h->crew->check->ops->retain(h->m, piece->object);
    hm_hand_put(h, place, piece);
}

void hm_hand_store(struct hm_hand *h, struct hm_piece *piece, uint32_t slot, int place) {
    piece->slots[slot] = h->held[place];
    h->crew->check->ops->store(h->m, piece->object, slot, h->places[place]);
}

struct hm_piece *hm_hand_resolve(struct hm_hand *h, struct hm_piece *weak) {
    struct hm_check *c = h->crew->check;
    struct hm_object *object = c->ops->weak_get(h->m, weak->object);
    if (!object)
        return NULL;
    if (object != weak->target->object)
        hm_check_fail(c, "weak reference %" PRIu64 " leads to another object", number_of(weak));
    hm_hand_look(h, weak->target);
    c->ops->release(h->m, object);
    return weak->target;
}

void hm_hand_look(struct hm_hand *h, const struct hm_piece *piece) {
    struct hm_check *c = h->crew->check;
    uint64_t number;
    if (__atomic_load_n(&piece->freed, __ATOMIC_RELAXED))
        hm_check_fail(c, "object %" PRIu64 " was freed, and thread %u holds it", number_of(piece),
                      h->number);
    if (piece->target)
        return;
    memcpy(&number, c->ops->payload(piece->object), sizeof number);
    if (number != number_of(piece))
        hm_check_fail(c, "the payload of object %" PRIu64 " has changed", number_of(piece));
}

void hm_hand_collect(struct hm_hand *h, int generation) {
    __atomic_fetch_add(&h->crew->told, 1, __ATOMIC_RELAXED);
    h->crew->check->ops->collect(h->m, generation);
}

void hm_hand_rest(struct hm_hand *h) {
    const struct timespec little = {.tv_nsec = REST_NS};
    if (h->crew->check->ops->safepoint)
        h->crew->check->ops->safepoint(h->m);
    hm_mutators_leave();
    nanosleep(&little, NULL);
    hm_mutators_enter();
}
