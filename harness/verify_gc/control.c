/* Properties of what a program may ask of its collector, as CPython's gc module offers it. */
#include "harness/verify_gc/world.h"

#include <inttypes.h>

static struct hm_world world;

/* ---- Automatic collections ---- */

static uint64_t collections(struct hm_world *w) {
    struct hm_gc_stats s;
    uint64_t sum = 0;
    w->check->collector->stats(w->gc, &s);
    for (int i = 0; i < 3; i++)
        sum += s.collections[i] == HM_UNKNOWN ? 0 : s.collections[i];
    return sum;
}

static void make_rings(struct hm_world *w, int count) {
    for (int i = 0; i < count; i++)
        hm_world_drop(w, hm_world_ring(w, 2));
}

static void run_automatic(struct hm_check *c) {
    struct hm_world *w = &world;
    const struct hm_gc_control *control = hm_check_control(c);
    if (!control->enable || !control->is_enabled)
        hm_check_unsupported(c, "automatic collections can not be turned on or off");
    hm_world_open(w, c);
    hm_check_at(c, "automatic collections are off");
    control->enable(w->gc, false);
    if (control->is_enabled(w->gc))
        hm_check_fail(c, "is_enabled says that they are on");
    const int64_t low[3] = {10, 2, 2};
    if (control->set_threshold)
        control->set_threshold(w->gc, low);
    uint64_t before = collections(w);
    make_rings(w, 60);
    if (collections(w) != before)
        hm_check_fail(c, "%" PRIu64 " collections ran", collections(w) - before);
    hm_check_at(c, "automatic collections are on");
    control->enable(w->gc, true);
    if (!control->is_enabled(w->gc))
        hm_check_fail(c, "is_enabled says that they are off");
    make_rings(w, 60);
    if (control->set_threshold && collections(w) == before)
        hm_check_fail(c, "with a threshold of 10 no collection ran for 120 new objects");
    hm_world_close(w);
}

static const struct hm_gc_property automatic = {
    .name = "control-automatic",
    .summary = "disabled, no collection runs by itself; enabled, the threshold sets one off",
    .point = 500,
    .run = run_automatic};
HM_REGISTER(hm_gc_property, automatic);

static void run_thresholds(struct hm_check *c) {
    struct hm_world *w = &world;
    const struct hm_gc_control *control = hm_check_control(c);
    if (!control->set_threshold || !control->get_threshold)
        hm_check_unsupported(c, "there are no thresholds");
    hm_world_open(w, c);
    hm_check_at(c, "thresholds are set and read");
    const int64_t set[3] = {37, 5, 3};
    int64_t got[3] = {0}, count[3] = {0};
    control->set_threshold(w->gc, set);
    control->get_threshold(w->gc, got);
    for (int i = 0; i < 3; i++)
        if (got[i] != set[i])
            hm_check_fail(c, "threshold %d was set to %" PRId64 " and is %" PRId64, i, set[i],
                          got[i]);
    hm_check_at(c, "counts after a full collection");
    make_rings(w, 5);
    hm_world_collect(w, 2);
    if (control->get_count)
        control->get_count(w->gc, count);
    for (int i = 0; i < 3; i++)
        if (count[i])
            hm_check_fail(c, "count %d is %" PRId64 " and not 0", i, count[i]);
    hm_world_close(w);
}

static const struct hm_gc_property thresholds = {
    .name = "control-thresholds",
    .summary = "thresholds are what was set; a full collection sets the counts to 0",
    .point = 510,
    .run = run_thresholds};
HM_REGISTER(hm_gc_property, thresholds);

/* ---- Freezing ---- */

static void run_freeze(struct hm_check *c) {
    struct hm_world *w = &world;
    const struct hm_gc_control *control = hm_check_control(c);
    if (!control->freeze || !control->unfreeze)
        hm_check_unsupported(c, "nothing can be frozen");
    hm_world_open(w, c);
    hm_check_at(c, "objects are frozen, and then garbage");
    int ring = hm_world_ring(w, 4);
    int old = hm_world_new(w, HM_NODE_ARRAY, 2, false);
    uint64_t frozen = control->freeze_count ? control->freeze_count(w->gc) : 0;
    control->freeze(w->gc);
    w->frozen = true;
    if (control->freeze_count && control->freeze_count(w->gc) < frozen + 5)
        hm_check_fail(c, "freeze_count is %" PRIu64 ", and 5 containers were frozen",
                      control->freeze_count(w->gc) - frozen);
    uint64_t freed = w->freed;
    hm_world_drop(w, ring);
    int young = hm_world_ring(w, 3);
    hm_world_store(w, old, 0, young);
    hm_world_drop(w, young);
    for (int generation = 0; generation < 3; generation++)
        hm_world_collect(w, generation);
    if (w->freed != freed)
        hm_check_fail(c, "a collection freed what is frozen");
    hm_check_at(c, "they are thawed");
    control->unfreeze(w->gc);
    w->frozen = false;
    if (control->freeze_count && control->freeze_count(w->gc))
        hm_check_fail(c, "freeze_count is not 0");
    hm_world_collect(w, 2);
    hm_world_close(w);
}

static const struct hm_gc_property freeze = {
    .name = "control-freeze",
    .summary =
        "a collection leaves frozen garbage, and frees it when it is thawed; what the frozen "
        "refer to lives",
    .point = 520,
    .run = run_freeze};
HM_REGISTER(hm_gc_property, freeze);

/* ---- Being told ---- */

static struct {
    unsigned begun, ended;
    int generation;
    uint64_t collected;
} told;

static void called(void *arg, bool stop, int generation, uint64_t collected,
                   uint64_t uncollectable) {
    (void)arg;
    (void)uncollectable;
    told.begun += !stop;
    told.ended += stop;
    told.generation = generation;
    told.collected = collected;
}

static void run_told(struct hm_check *c) {
    struct hm_world *w = &world;
    const struct hm_gc_control *control = hm_check_control(c);
    if (!control->set_callback)
        hm_check_unsupported(c, "nobody is called when it collects");
    hm_check_need(c, HM_GC_CYCLES, "cycle is found");
    hm_world_open(w, c);
    told.begun = told.ended = 0;
    control->set_callback(w->gc, called, w);
    hm_check_at(c, "a collection that finds a ring of 3");
    hm_world_drop(w, hm_world_ring(w, 3));
    hm_world_collect(w, 2);
    if (told.begun != 1 || told.ended != 1)
        hm_check_fail(c, "its begin was told %u times, its end %u times", told.begun, told.ended);
    if (told.generation != 2 || told.collected != 3)
        hm_check_fail(c, "its end was told with generation %d, %" PRIu64 " collected",
                      told.generation, told.collected);
    struct hm_gc_generation_stats s[3] = {{0}};
    if (control->get_stats)
        control->get_stats(w->gc, s);
    if (control->get_stats && (s[2].collections != 1 || s[2].collected != 3))
        hm_check_fail(c, "get_stats tells of %" PRIu64 " collections, %" PRIu64 " collected",
                      s[2].collections, s[2].collected);
    control->set_callback(w->gc, NULL, NULL);
    hm_world_collect(w, 2);
    if (told.begun != 1)
        hm_check_fail(c, "it is called after the callback was taken away");
    hm_world_close(w);
}

static const struct hm_gc_property tells = {
    .name = "control-told",
    .summary = "the begin and end of a collection are told once each, and what it found is counted",
    .point = 530,
    .run = run_told};
HM_REGISTER(hm_gc_property, tells);

/* ---- Garbage that is kept ---- */

static void run_saved(struct hm_check *c) {
    struct hm_world *w = &world;
    const struct hm_gc_control *control = hm_check_control(c);
    if (!control->save_all || !control->garbage_count || !control->pop_garbage)
        hm_check_unsupported(c, "garbage can not be kept");
    hm_world_open(w, c);
    hm_check_at(c, "garbage is kept");
    control->save_all(w->gc, true);
    hm_world_drop(w, hm_world_ring(w, 3));
    w->frozen = true;
    hm_world_collect(w, 2);
    if (w->freed || control->garbage_count(w->gc) != 3)
        hm_check_fail(c, "%" PRIu64 " of 3 objects are kept", control->garbage_count(w->gc));
    control->save_all(w->gc, false);
    hm_check_at(c, "garbage that was kept is let go of");
    for (struct hm_object *o; (o = control->pop_garbage(w->gc));)
        c->ops->release(w->m, o);
    w->frozen = false;
    hm_world_settle(w);
    hm_world_close(w);
}

static const struct hm_gc_property saved = {
    .name = "control-saved",
    .summary = "garbage that is kept is not freed; let go of, it is",
    .point = 540,
    .run = run_saved};
HM_REGISTER(hm_gc_property, saved);

/* ---- Disposal ---- */

static void run_disposal(struct hm_check *c) {
    struct hm_world *w = &world;
    if (!c->ops->dispose)
        hm_check_unsupported(c, "it frees by itself, or not at all");
    hm_world_open(w, c);
    hm_check_at(c, "objects are disposed of, with weak references to them");
    int n = hm_world_new(w, HM_NODE_PAIR, 0, false);
    hm_world_init(w, n, 0, hm_world_new(w, HM_NODE_LEAF, 0, true));
    int weak = hm_world_weak(w, n, true);
    hm_world_drop(w, n);
    if (!w->nodes[n].freed && !w->blind)
        hm_check_fail(c, "object %d is not freed", n);
    if (hm_world_deref(w, weak) != HM_NOBODY)
        hm_check_fail(c, "weak reference %d leads to it", weak);
    if (w->nodes[weak].called != 1 && !w->no_callbacks)
        hm_check_fail(c, "the callback ran %u times", w->nodes[weak].called);
    hm_world_drop(w, hm_world_ring(w, 4));
    hm_world_close(w);
}

static const struct hm_gc_property disposal = {
    .name = "disposal",
    .summary = "what the program disposes of is freed at once, its weak references cleared",
    .point = 550,
    .run = run_disposal};
HM_REGISTER(hm_gc_property, disposal);
