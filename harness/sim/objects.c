/* Plays the verbs that make and change a graph of objects; names.h has the words and invariants. */
#include "harness/sim/objects.h"

#include "harness/sim/control.h"
#include "harness/sim/mutators.h"
#include "harness/sim/names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    NESTED_MAX = 1000, /* finalizers inside of finalizers: each one takes stack */
};

/* Finalizers and callbacks are given nothing but the object: one play at a time. */
static struct hm_sim_play *playing;

/* ---- What the collector does ---- */

static void note_freed(void *arg, void *owner) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *named = owner;
    named->object = NULL;
    named->action = HM_SIM_ACTION_NONE;
    if (!sim->closing)
        fprintf(sim->out, "freed,%s,\n", named->id);
}

static void drop(struct hm_sim_play *sim, struct hm_sim_named *named) {
    struct hm_object *object = named->variable;
    named->variable = NULL;
    sim->ops->release(sim->m, object);
}

static void act(struct hm_sim_play *sim, struct hm_sim_named *named, struct hm_object *object) {
    switch (named->action) {
    case HM_SIM_ACTION_RESURRECT:
        sim->ops->retain(sim->m, object);
        named->variable = object;
        break;
    case HM_SIM_ACTION_COLLECT:
        sim->ops->collect(sim->m, 2);
        break;
    case HM_SIM_ACTION_DROP:
        drop(sim, named->target);
        break;
    case HM_SIM_ACTION_NONE:
        break;
    }
}

static void finalize(struct hm_mutator *m, struct hm_object *object) {
    struct hm_sim_play *sim = playing;
    struct hm_sim_named *named = hm_watch_owner(&sim->watch, object);
    (void)m;
    fprintf(sim->out, "finalized,%s,\n", named->id);
    if (sim->nested == NESTED_MAX) {
        sim->too_deep = true;
        return;
    }
    sim->nested++;
    act(sim, named, object);
    sim->nested--;
}

static void called_back(struct hm_mutator *m, struct hm_object *reference) {
    const struct hm_sim_named *named = hm_watch_owner(&playing->watch, reference);
    (void)m;
    fprintf(playing->out, "callback,%s,\n", named->id);
}

/* None is kept on a free list: that an object dies is seen by its memory. */
static const struct hm_type leaf = {.name = "leaf", .weakable = true};
static const struct hm_type container = {.name = "container", .variable = true, .weakable = true};
static const struct hm_type leaf_finalized = {
    .name = "leaf with finalizer", .weakable = true, .finalize = finalize};
static const struct hm_type container_finalized = {
    .name = "container with finalizer", .variable = true, .weakable = true, .finalize = finalize};

/* ---- Verbs ---- */

static int play_new(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *named;
    uint64_t slots;
    int bad = hm_sim_parse_below(line->words[2], (uint64_t)HM_LENGTH_MAX + 1, "number of slots",
                                 &slots, error);
    if (!bad)
        bad = hm_sim_new_name(sim, line->words[1], &named, error);
    if (bad)
        return bad;
    named->slots = slots;
    named->weak = false;
    hm_sim_name_object(sim, named,
                       sim->ops->new (sim->m, slots ? &container : &leaf, (uint32_t)slots));
    return hm_sim_answer(sim, line, named->id, named->object ? "" : "oom");
}

static int play_drop(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *named;
    int bad = hm_sim_find_live(sim, line->words[1], &named, error);
    if (bad)
        return bad;
    if (!named->variable)
        return hm_fail(error, EINVAL, "%s is no root", named->id);
    drop(sim, named);
    return hm_sim_answer(sim, line, line->words[1], "");
}

static int play_ref(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *from, *to;
    uint32_t slot;
    int bad = hm_sim_find_slot(sim, line, &from, &slot, error);
    if (!bad)
        bad = hm_sim_find_live(sim, line->words[3], &to, error);
    if (bad)
        return bad;
    hm_sim_hold(sim, 0, from->object);
    hm_sim_hold(sim, 1, to->object);
    sim->ops->store(sim->m, from->object, slot, to->object);
    hm_sim_let_go(sim);
    return hm_sim_answer(sim, line, line->words[1], "");
}

static int play_clear(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *from;
    uint32_t slot;
    int bad = hm_sim_find_slot(sim, line, &from, &slot, error);
    if (bad)
        return bad;
    hm_sim_hold(sim, 0, from->object);
    sim->ops->store(sim->m, from->object, slot, NULL);
    hm_sim_let_go(sim);
    return hm_sim_answer(sim, line, line->words[1], "");
}

static int parse_action(struct hm_sim_play *sim, char *const *words, struct hm_sim_named *out,
                        struct hm_error *error) {
    bool drops = words[0] && strcmp(words[0], "drop") == 0;
    out->target = NULL;
    if (!words[0])
        out->action = HM_SIM_ACTION_NONE;
    else if (strcmp(words[0], "resurrect") == 0)
        out->action = HM_SIM_ACTION_RESURRECT;
    else if (strcmp(words[0], "collect") == 0)
        out->action = HM_SIM_ACTION_COLLECT;
    else if (drops)
        out->action = HM_SIM_ACTION_DROP;
    else
        return hm_fail(error, EINVAL, "a finalizer can resurrect, collect, or drop X");
    if (drops != (words[0] && words[1]))
        return hm_fail(error, EINVAL, "what a finalizer does is: resurrect, collect, or drop X");
    return drops ? hm_sim_find_live(sim, words[1], &out->target, error) : 0;
}

static int play_finalizer(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *named, asked;
    if (!sim->ops->set_type)
        return hm_sim_not_offered(sim, line, error);
    int bad = hm_sim_find_live(sim, line->words[1], &named, error);
    if (!bad && named->weak)
        bad = hm_fail(error, EINVAL, "%s is a weak reference: it has no finalizer", named->id);
    if (!bad)
        bad = parse_action(sim, line->words + 2, &asked, error);
    if (bad)
        return bad;
    named->action = asked.action;
    named->target = asked.target;
    sim->ops->set_type(named->object, named->slots ? &container_finalized : &leaf_finalized);
    return hm_sim_answer(sim, line, line->words[1], "");
}

static int play_weak(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *reference, *target;
    int bad = hm_sim_find_live(sim, line->words[2], &target, error);
    if (!bad && target->weak)
        bad = hm_fail(error, EINVAL, "%s is a weak reference: it can not be the target of another",
                      target->id);
    if (!bad)
        bad = hm_sim_new_name(sim, line->words[1], &reference, error);
    if (bad)
        return bad;
    reference->slots = 1;
    reference->weak = true;
    hm_sim_hold(sim, 0, target->object);
    errno = 0;
    hm_sim_name_object(sim, reference, sim->ops->weak_new(sim->m, target->object, called_back));
    bool offered = reference->object || errno != ENOTSUP;
    hm_sim_let_go(sim);
    if (!offered)
        return hm_sim_not_offered(sim, line, error);
    return hm_sim_answer(sim, line, reference->id, reference->object ? "" : "oom");
}

static int play_deref(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *reference;
    int bad = hm_sim_find_live(sim, line->words[1], &reference, error);
    if (!bad && !reference->weak)
        bad = hm_fail(error, EINVAL, "%s is no weak reference", reference->id);
    if (bad)
        return bad;
    struct hm_object *object = sim->ops->weak_get(sim->m, reference->object);
    const struct hm_sim_named *target = object ? hm_watch_owner(&sim->watch, object) : NULL;
    sim->ops->release(sim->m, object);
    return hm_sim_answer(sim, line, reference->id, target ? target->id : "");
}

static int play_collect(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    uint64_t generation = 2;
    if (line->words[1]) {
        int bad = hm_sim_parse_below(line->words[1], 3, "generation", &generation, error);
        if (bad)
            return bad;
    }
    char text[24];
    int64_t found = sim->ops->collect(sim->m, (int)generation);
    snprintf(text, sizeof text, "%" PRId64, found);
    return hm_sim_answer(sim, line, "", found < 0 ? "" : text);
}

static int play_refcount(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_sim_named *named;
    char count[16];
    if (!sim->ops->refcount)
        return hm_sim_not_offered(sim, line, error);
    int bad = hm_sim_find_live(sim, line->words[1], &named, error);
    if (bad)
        return bad;
    snprintf(count, sizeof count, "%" PRIu32, sim->ops->refcount(named->object));
    return hm_sim_answer(sim, line, line->words[1], count);
}

static const struct hm_sim_verb verbs[] = {
    {"new", "ID SLOTS", play_new},
    {"drop", "ID", play_drop},
    {"ref", "A SLOT B", play_ref},
    {"clear", "A SLOT", play_clear},
    {"weak", "W ID", play_weak},
    {"deref", "W", play_deref},
    {"finalizer", "ID [resurrect|collect|drop X]", play_finalizer},
    {"collect", "[GEN]", play_collect},
    {"refcount", "A", play_refcount},
    {"count", "", hm_sim_play_count},
    {"threshold", "A B C", hm_sim_play_threshold},
    {"enable", "", hm_sim_play_enable},
    {"disable", "", hm_sim_play_disable},
    {"freeze", "", hm_sim_play_freeze},
    {"unfreeze", "", hm_sim_play_unfreeze},
    {"stats", "", hm_sim_play_stats},
    {NULL, NULL, NULL},
};

/* ---- Playing ---- */

static int play_line(struct hm_sim_play *sim, const struct hm_sim_line *line,
                     struct hm_error *error) {
    int bad = line->verb->play(sim, line, error);
    if (!bad && sim->too_deep)
        return hm_fail(error, EINVAL, "more than %d finalizers inside of each other", NESTED_MAX);
    return bad;
}

static int play_lines(struct hm_sim_play *sim, struct hm_sim_script *script,
                      struct hm_error *error) {
    struct hm_sim_line line;
    int got, bad = 0;
    fputs("op,id,value\n", sim->out);
    while (!bad && (got = hm_sim_next(script, &line, error)) != 0)
        bad = got < 0 ? EINVAL : play_line(sim, &line, error);
    return bad;
}

static void ignore_begin(void *arg, int generation) {
    (void)arg;
    (void)generation;
}

static void ignore_end(void *arg, int generation, uint64_t visited, uint64_t freed) {
    (void)arg;
    (void)generation;
    (void)visited;
    (void)freed;
}

static int play_attached(struct hm_sim_play *sim, struct hm_sim_script *script,
                         struct hm_error *error) {
    for (; sim->roots < HM_SIM_HELD; sim->roots++)
        sim->ops->root(sim->m, &sim->held[sim->roots]);
    int bad = play_lines(sim, script, error);
    sim->closing = true;
    sim->ops->unroot(sim->m, sim->roots);
    sim->collector->detach(sim->m);
    return bad;
}

/* Open the collector, play, close it. */
static int play_on(struct hm_sim_play *sim, const struct hm_params *params,
                   struct hm_sim_script *script, struct hm_error *error) {
    static const struct hm_gc_events events = {.pause_begin = ignore_begin,
                                               .pause_end = ignore_end};
    const struct hm_gc_options options = {
        .params = params->values, .memory = &sim->watch.memory, .events = &events, .mutators = 1};
    int bad = sim->collector->open(&sim->gc, &options);
    if (bad)
        return hm_fail(error, bad, "can not open %s: %s", sim->collector->name, strerror(bad));
    sim->m = sim->collector->attach(sim->gc);
    bad = sim->m ? play_attached(sim, script, error)
                 : hm_fail(error, ENOMEM, "can not attach to %s", sim->collector->name);
    sim->closing = true;
    sim->collector->close(sim->gc);
    return bad;
}

int hm_sim_objects_play(const struct hm_collector_spec *collector, const struct hm_memory *memory,
                        struct hm_sim_script *script, FILE *out, struct hm_error *error) {
    struct hm_sim_play sim = {
        .ops = hm_sim_mutator_find(collector->part), .collector = collector->part, .out = out};
    if (!sim.ops)
        return hm_fail(error, EINVAL, "%s can not be played on", collector->part->name);
    hm_watch_open(&sim.watch, memory, note_freed, &sim);
    script->verbs = verbs;
    playing = &sim;
    int bad = play_on(&sim, &collector->params, script, error);
    playing = NULL;
    hm_watch_close(&sim.watch);
    hm_sim_forget(sim.names);
    return bad;
}
