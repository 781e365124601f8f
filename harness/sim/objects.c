/* Plays a script on a collector.
 *
 * Invariants
 *   A named thing has an object from `new` until its memory comes back through the watched heap.
 *   Its `variable` is a root of the collector from its first `new` to the end of the play, NULL while
 *   the name is no root: so names can be dropped in any order. */
#include "harness/sim/objects.h"

#include "harness/sim/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    NESTED_MAX = 1000, /* finalizers inside of finalizers: each one takes stack */
};

enum action {
    ACTION_NONE,
    ACTION_RESURRECT,
    ACTION_COLLECT,
    ACTION_DROP,
};

struct named {
    char id[HM_SIM_ID_BYTES];
    bool rooted; /* the collector knows `variable` */
    struct hm_object *object;
    struct hm_object *variable;
    enum action action; /* of its finalizer */
    struct named *target;
};

struct sim {
    const struct hm_sim_mutator *ops;
    const struct hm_collector *collector;
    struct hm_gc *gc;
    struct hm_mutator *m;
    struct hm_watch watch;
    void *names;
    unsigned roots;  /* variables that the collector knows */
    unsigned nested; /* finalizers that run now */
    bool too_deep;
    bool closing;
    FILE *out;
};

/* A finalizer is given nothing but the object: one play at a time. */
static struct sim *playing;

extern const struct hm_sim_mutator *const __start_hm_sim_mutator_parts[] __attribute__((weak));
extern const struct hm_sim_mutator *const __stop_hm_sim_mutator_parts[] __attribute__((weak));

static const struct hm_sim_mutator *find_ops(const char *collector) {
    for (const struct hm_sim_mutator *const *at = __start_hm_sim_mutator_parts;
         at < __stop_hm_sim_mutator_parts; at++)
        if (strcmp((*at)->collector, collector) == 0)
            return *at;
    return NULL;
}

/* ---- What the collector does ---- */

static void note_freed(void *arg, void *owner) {
    struct sim *sim = arg;
    struct named *named = owner;
    named->object = NULL;
    named->action = ACTION_NONE;
    if (!sim->closing)
        fprintf(sim->out, "freed,%s,\n", named->id);
}

static void drop(struct sim *sim, struct named *named) {
    struct hm_object *object = named->variable;
    named->variable = NULL;
    sim->ops->release(sim->m, object);
}

static void act(struct sim *sim, struct named *named, struct hm_object *object) {
    switch (named->action) {
    case ACTION_RESURRECT:
        sim->ops->retain(sim->m, object);
        named->variable = object;
        break;
    case ACTION_COLLECT:
        sim->ops->collect(sim->m, 2);
        break;
    case ACTION_DROP:
        drop(sim, named->target);
        break;
    case ACTION_NONE:
        break;
    }
}

static void finalize(struct hm_mutator *m, struct hm_object *object) {
    struct sim *sim = playing;
    struct named *named = hm_watch_owner(&sim->watch, object);
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

static const struct hm_type leaf = {.name = "leaf"};
static const struct hm_type container = {.name = "container", .variable = true};
static const struct hm_type leaf_finalized = {.name = "leaf with finalizer", .finalize = finalize};
static const struct hm_type container_finalized = {
    .name = "container with finalizer", .variable = true, .finalize = finalize};

/* ---- Words ---- */

static int find_live(struct sim *sim, const char *id, struct named **out, struct hm_error *error) {
    int bad = hm_sim_check_id(id, error);
    if (bad)
        return bad;
    struct named *named = hm_sim_find(sim->names, id);
    if (!named || !named->object)
        return hm_fail(error, EINVAL, "%s is %s", id, named ? "freed" : "not known");
    *out = named;
    return 0;
}

static int parse_below(const char *word, uint64_t limit, const char *what, uint64_t *out,
                       struct hm_error *error) {
    int bad = hm_sim_parse_size(word, out, error);
    if (bad)
        return bad;
    return *out < limit ? 0
                        : hm_fail(error, EINVAL,
                                  "%" PRIu64 " is no %s here: it must be below "
                                  "%" PRIu64,
                                  *out, what, limit);
}

static int find_slot(struct sim *sim, const struct hm_sim_line *line, struct named **out,
                     uint64_t *slot, struct hm_error *error) {
    int bad = find_live(sim, line->words[1], out, error);
    return bad ? bad : parse_below(line->words[2], (*out)->object->length, "slot", slot, error);
}

static int put_row(struct sim *sim, const struct hm_sim_line *line, const char *value) {
    fprintf(sim->out, "%s,%s,%s\n", line->verb->name, line->words[1], value);
    return 0;
}

static int not_offered(struct sim *sim, const struct hm_sim_line *line, struct hm_error *error) {
    return hm_fail(error, EINVAL, "'%s' is not offered by %s", line->verb->name,
                   sim->collector->name);
}

/* ---- Verbs ---- */

/* A name that is free to be given: no object, and known to the collector as a root. */
static int new_name(struct sim *sim, const char *id, struct named **out, struct hm_error *error) {
    int bad = hm_sim_check_id(id, error);
    if (bad)
        return bad;
    struct named *named = hm_sim_name(&sim->names, id, sizeof *named);
    if (!named)
        return hm_fail(error, ENOMEM, "out of memory for the names");
    if (named->object)
        return hm_fail(error, EINVAL, "%s is not freed yet", id);
    if (!named->rooted) {
        sim->ops->root(sim->m, &named->variable);
        sim->roots++;
        named->rooted = true;
    }
    *out = named;
    return 0;
}

static int play_new(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *named;
    uint64_t slots;
    int bad = parse_below(line->words[2], HM_LENGTH_MAX, "number of slots", &slots, error);
    if (!bad)
        bad = new_name(sim, line->words[1], &named, error);
    if (bad)
        return bad;
    named->variable = sim->ops->new (sim->m, slots ? &container : &leaf, (uint32_t)slots);
    if (!named->variable)
        return put_row(sim, line, "oom");
    named->object = named->variable;
    hm_watch_own(&sim->watch, named->object, named);
    return put_row(sim, line, "");
}

static int play_drop(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *named;
    int bad = find_live(sim, line->words[1], &named, error);
    if (bad)
        return bad;
    if (!named->variable)
        return hm_fail(error, EINVAL, "%s is no root", named->id);
    drop(sim, named);
    return put_row(sim, line, "");
}

static int play_ref(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *from, *to;
    uint64_t slot;
    int bad = find_slot(sim, line, &from, &slot, error);
    if (!bad)
        bad = find_live(sim, line->words[3], &to, error);
    if (bad)
        return bad;
    sim->ops->store(sim->m, from->object, (uint32_t)slot, to->object);
    return put_row(sim, line, "");
}

static int play_clear(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *from;
    uint64_t slot;
    int bad = find_slot(sim, line, &from, &slot, error);
    if (bad)
        return bad;
    sim->ops->store(sim->m, from->object, (uint32_t)slot, NULL);
    return put_row(sim, line, "");
}

static int parse_action(struct sim *sim, char *const *words, struct named *out,
                        struct hm_error *error) {
    bool drops = words[0] && strcmp(words[0], "drop") == 0;
    out->target = NULL;
    if (!words[0])
        out->action = ACTION_NONE;
    else if (strcmp(words[0], "resurrect") == 0)
        out->action = ACTION_RESURRECT;
    else if (strcmp(words[0], "collect") == 0)
        out->action = ACTION_COLLECT;
    else if (drops)
        out->action = ACTION_DROP;
    else
        return hm_fail(error, EINVAL, "a finalizer can resurrect, collect, or drop X");
    if (drops != (words[0] && words[1]))
        return hm_fail(error, EINVAL, "what a finalizer does is: resurrect, collect, or drop X");
    return drops ? find_live(sim, words[1], &out->target, error) : 0;
}

static int play_finalizer(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *named, asked;
    int bad = find_live(sim, line->words[1], &named, error);
    if (!bad)
        bad = parse_action(sim, line->words + 2, &asked, error);
    if (bad)
        return bad;
    named->action = asked.action;
    named->target = asked.target;
    named->object->type = named->object->leaf ? &leaf_finalized : &container_finalized;
    return put_row(sim, line, "");
}

static int play_collect(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    uint64_t generation = 2;
    if (line->words[1]) {
        int bad = parse_below(line->words[1], 3, "generation", &generation, error);
        if (bad)
            return bad;
    }
    int64_t found = sim->ops->collect(sim->m, (int)generation);
    fprintf(sim->out, "collect,,%" PRId64 "\n", found);
    return 0;
}

static int play_refcount(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct named *named;
    char count[16];
    if (!sim->ops->refcount)
        return not_offered(sim, line, error);
    int bad = find_live(sim, line->words[1], &named, error);
    if (bad)
        return bad;
    snprintf(count, sizeof count, "%" PRIu32, sim->ops->refcount(named->object));
    return put_row(sim, line, count);
}

static int play_stats(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct sim *sim = arg;
    struct hm_gc_stats s;
    (void)error;
    sim->collector->stats(sim->gc, &s);
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"allocated_objects", s.allocated_objects},
                  {"allocated_bytes", s.allocated_bytes},
                  {"freed_objects", s.freed_objects},
                  {"freed_bytes", s.freed_bytes},
                  {"collections0", s.collections[0]},
                  {"collections1", s.collections[1]},
                  {"collections2", s.collections[2]},
                  {"collected", s.collected},
                  {"visited", s.visited}};
    fprintf(sim->out, "%s,,", line->verb->name);
    const char *space = "";
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].value == HM_UNKNOWN)
            continue;
        fprintf(sim->out, "%s%s=%" PRIu64, space, fields[i].name, fields[i].value);
        space = " ";
    }
    fputc('\n', sim->out);
    return 0;
}

/* A verb without a function is one that no collector offers through its interface. */
static const struct hm_sim_verb verbs[] = {
    {"new", "ID SLOTS", play_new},
    {"drop", "ID", play_drop},
    {"ref", "A SLOT B", play_ref},
    {"clear", "A SLOT", play_clear},
    {"finalizer", "ID [resurrect|collect|drop X]", play_finalizer},
    {"collect", "[GEN]", play_collect},
    {"refcount", "A", play_refcount},
    {"stats", "", play_stats},
    {"weak", "W ID", NULL},
    {"deref", "W", NULL},
    {"count", "", NULL},
    {"threshold", "A B C", NULL},
    {"enable", "", NULL},
    {"disable", "", NULL},
    {"freeze", "", NULL},
    {"unfreeze", "", NULL},
    {NULL, NULL, NULL},
};

/* ---- Playing ---- */

static int play_line(struct sim *sim, const struct hm_sim_line *line, struct hm_error *error) {
    int bad = line->verb->play ? line->verb->play(sim, line, error) : not_offered(sim, line, error);
    if (!bad && sim->too_deep)
        return hm_fail(error, EINVAL, "more than %d finalizers inside of each other", NESTED_MAX);
    return bad;
}

static int play_lines(struct sim *sim, struct hm_sim_script *script, struct hm_error *error) {
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

/* Open the collector, play, close it. */
static int play_on(struct sim *sim, const struct hm_params *params, struct hm_sim_script *script,
                   struct hm_error *error) {
    static const struct hm_gc_events events = {.pause_begin = ignore_begin,
                                               .pause_end = ignore_end};
    const struct hm_gc_options options = {
        .params = params->values, .memory = &sim->watch.memory, .events = &events, .mutators = 1};
    int bad = sim->collector->open(&sim->gc, &options);
    if (bad)
        return hm_fail(error, bad, "can not open %s: %s", sim->collector->name, strerror(bad));
    sim->m = sim->collector->attach(sim->gc);
    if (sim->m)
        bad = play_lines(sim, script, error);
    else
        bad = hm_fail(error, ENOMEM, "can not attach to %s", sim->collector->name);
    sim->closing = true;
    if (sim->m) {
        sim->ops->unroot(sim->m, sim->roots);
        sim->collector->detach(sim->m);
    }
    sim->collector->close(sim->gc);
    return bad;
}

int hm_sim_objects_play(const struct hm_collector_spec *collector, const struct hm_memory *memory,
                        struct hm_sim_script *script, FILE *out, struct hm_error *error) {
    struct sim sim = {
        .ops = find_ops(collector->part->name), .collector = collector->part, .out = out};
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
