/* A recorded object graph, of a real Python program, as the live heap: collected as it is, dropped and
 * collected, or with a program's allocations on top of it.
 *
 * Vocabulary
 *   object i   the object of the recording with this number, allocated in the order of the numbers; as
 *              large as it was there, where our header and slots leave room for that.
 *   nursery    an array that holds all objects while they are made.
 *   copy       a new container with the type and the references of one of the recording, drawn at random;
 *              at most COPY_SLOTS of its slots.
 *   window     an array that holds the copies that are alive.
 *
 * A unit is one full collection of the graph (live, garbage), or COPIES copies that take others' places
 * in the window (churn). What a unit of garbage takes away is made anew before it, off the clock. The file is
 * read without the C library's malloc, and stays mapped. */
#include "traces/objects.h"
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <string.h>

enum {
    PARAM_FILE,
    PARAM_WHAT,
    PARAM_WINDOW,
    PARAM_CYCLIC,
};

enum what {
    WHAT_LIVE,
    WHAT_GARBAGE,
    WHAT_CHURN,
};

enum {
    COPY_SLOTS = 32,
    COPIES = 4096, /* in a unit */
    STEPS = 16 * COPIES,
};

static const struct hm_param params[] = {
    [PARAM_FILE] =
        {.name = "file",
         .unit = "",
         .help = "what heapmark record --objects wrote, or the name of an example: docs/objects.md",
         .kind = HM_PARAM_TEXT},
    [PARAM_WHAT] = {.name = "what",
                    .unit = "",
                    .help = "live: collect while all of it is held; garbage: drop it and collect; "
                            "churn: containers come and go, and collections come by themselves",
                    .kind = HM_PARAM_CHOICE,
                    .initial = WHAT_LIVE,
                    .choices = "live|garbage|churn"},
    [PARAM_WINDOW] = {.name = "window",
                      .unit = "objects",
                      .help = "churn: new containers that are alive at a time",
                      .kind = HM_PARAM_COUNT,
                      .initial = 1000,
                      .min = 1,
                      .max = 1000000},
    [PARAM_CYCLIC] = {.name = "cyclic",
                      .unit = "percent",
                      .help = "churn: new containers that refer to themselves, if they have a slot",
                      .kind = HM_PARAM_COUNT,
                      .initial = 0,
                      .min = 0,
                      .max = 100},
    {.name = NULL},
};

/* ---- Types: one for each payload ---- */

#define FINE(X, from)                                                                              \
    X(from)                                                                                        \
    X((from) + 16)                                                                                 \
    X((from) + 32) X((from) + 48) X((from) + 64) X((from) + 80) X((from) + 96) X((from) + 112)
#define OCTAVE(X, from) X(from) X((from) / 4 * 5) X((from) / 4 * 6) X((from) / 4 * 7)
#define PAYLOADS(X)                                                                                \
    FINE(X, 0)                                                                                     \
    FINE(X, 128)                                                                                   \
    OCTAVE(X, 256)                                                                                 \
    OCTAVE(X, 512)                                                                                 \
    OCTAVE(X, 1 << 10)                                                                             \
    OCTAVE(X, 1 << 11)                                                                             \
    OCTAVE(X, 1 << 12)                                                                             \
    OCTAVE(X, 1 << 13)                                                                             \
    OCTAVE(X, 1 << 14)                                                                             \
    OCTAVE(X, 1 << 15)                                                                             \
    OCTAVE(X, 1 << 16) OCTAVE(X, 1 << 17) OCTAVE(X, 1 << 18) OCTAVE(X, 1 << 19) X(1 << 20)

#define CONTAINER(bytes) {.name = "container", .variable = true, .payload_bytes = (bytes)},
#define LEAF(bytes)      {.name = "leaf", .payload_bytes = (bytes)},

static const struct hm_type container_types[] = {PAYLOADS(CONTAINER)};
static const struct hm_type leaf_types[] = {PAYLOADS(LEAF)};
static const struct hm_type array_type = {.name = "array", .variable = true};

enum {
    SIZES = sizeof leaf_types / sizeof *leaf_types,
    HEADER_BYTES = sizeof(struct hm_object),
    COLLECTOR_BYTES = 16, /* of CPython, in front of a container */
};

/* The smallest payload with which an object is as large as it was, or the largest there is. */
static uint8_t size_of(uint64_t bytes) {
    uint8_t low = 0;
    uint8_t high = SIZES - 1;
    while (low < high) {
        uint8_t middle = (uint8_t)((low + high) / 2);
        if (leaf_types[middle].payload_bytes >= bytes)
            high = middle;
        else
            low = (uint8_t)(middle + 1);
    }
    return low;
}

struct step {
    uint32_t original; /* whose copy is made */
    uint32_t place;
    bool cyclic;
};

/* One mapping: this and the arrays. */
struct snapshot {
    const struct hm_objects *file;
    struct hm_object **objects; /* by number, while there is a graph; held by it */
    struct hm_object **roots;   /* rooted from setup to teardown */
    uint8_t *sizes;             /* of each object, its payload's */
    struct step *steps;
    size_t at; /* step */
    struct hm_object *nursery;
    struct hm_object *window; /* churn only */
    uint32_t left_containers; /* of a dropped graph, what its counts do not take away */
    uint32_t left_objects;
    bool made;
    bool judged; /* there was a collection, so what is found is from here */
    bool missed; /* a collection found some of the garbage, but not all, or what was none */
    size_t bytes;
};

static uint64_t ops_per_unit(const struct hm_value *values) {
    return values[PARAM_WHAT].number == WHAT_CHURN ? COPIES : 1;
}

static enum what what_of(const struct hm_run *run) {
    return (enum what)run->params[PARAM_WHAT].number;
}

static uint32_t slots_of(const struct hm_objects *file, uint32_t i) {
    return file->nodes[i + 1].first - file->nodes[i].first;
}

/* ---- Making the graph ---- */

static struct hm_object *make_object(struct hm_mutator *m, const struct snapshot *s, uint32_t i) {
    struct hm_object *object =
        i < s->file->containers
            ? hm_new_array(m, &container_types[s->sizes[i]], slots_of(s->file, i))
            : hm_new(m, &leaf_types[s->sizes[i]]);
    if (object && s->sizes[i])
        memcpy(hm_payload(object), &i, sizeof i);
    return object;
}

/* @return whether all objects could be made */
static bool fill_nursery(struct hm_mutator *m, struct snapshot *s) {
    for (uint32_t i = 0; i < s->file->count; i++) {
        hm_safepoint(m);
        struct hm_object *object = make_object(m, s, i);
        if (!object)
            return false;
        s->objects[i] = object;
        hm_adopt(m, s->nursery, i, object);
    }
    return true;
}

static void link_all(struct hm_mutator *m, const struct snapshot *s) {
    const struct hm_objects *file = s->file;
    for (uint32_t i = 0; i < file->containers; i++)
        for (uint32_t j = 0; j < slots_of(file, i); j++)
            hm_store(m, s->objects[i], j, s->objects[file->targets[file->nodes[i].first + j]]);
    for (uint32_t i = 0; i < file->roots; i++) {
        s->roots[i] = s->objects[file->root_numbers[i]];
        hm_retain(m, s->roots[i]);
    }
}

/* @return 0 or ENOMEM, and nothing is held */
__attribute__((noinline)) static int make_graph(struct hm_run *run) {
    struct snapshot *s = run->state;
    struct hm_mutator *m = run->mutator;
    s->nursery = hm_new_array(m, &array_type, s->file->count);
    if (!s->nursery)
        return ENOMEM;
    s->made = fill_nursery(m, s);
    if (!s->made) {
        s->judged = false;
        hm_drop_array(m, &s->nursery);
        return ENOMEM;
    }
    link_all(m, s);
    hm_dispose(m, s->nursery);
    hm_drop(m, &s->nursery);
    return 0;
}

static int prepare(struct hm_run *run) {
    return ((struct snapshot *)run->state)->made ? 0 : make_graph(run);
}

static void drop_graph(struct hm_run *run) {
    struct snapshot *s = run->state;
    if (!s->made)
        return;
    for (uint32_t i = 0; HM_DISPOSES && i < s->file->count; i++)
        hm_dispose(run->mutator, s->objects[i]);
    for (uint32_t i = 0; i < s->file->roots; i++)
        hm_drop(run->mutator, &s->roots[i]);
    s->made = false;
}

/* ---- The copies ---- */

static struct hm_object *make_copy(struct hm_mutator *m, const struct snapshot *s,
                                   struct step step) {
    const uint32_t *targets = s->file->targets + s->file->nodes[step.original].first;
    uint32_t slots = slots_of(s->file, step.original);
    slots = slots < COPY_SLOTS ? slots : COPY_SLOTS;
    struct hm_object *copy = hm_new_array(m, &container_types[s->sizes[step.original]], slots);
    for (uint32_t j = 0; copy && j < slots; j++) {
        struct hm_object *target = j == 0 && step.cyclic ? copy : s->objects[targets[j]];
        hm_retain(m, target);
        hm_init_store(m, copy, j, target);
    }
    return copy;
}

/* @return false: no memory, and the window is as it was */
static bool replace(struct hm_mutator *m, struct snapshot *s, struct step step) {
    struct hm_object *copy = make_copy(m, s, step);
    if (!copy)
        return false;
    if (HM_DISPOSES && hm_load(s->window, step.place))
        hm_dispose(m, hm_load(s->window, step.place));
    hm_adopt(m, s->window, step.place, copy);
    return true;
}

/* @return false: no memory, and the next unit is this one */
static bool replace_many(struct hm_run *run, struct snapshot *s) {
    struct hm_mutator *m = run->mutator;
    uint64_t checksum = run->checksum;
    for (size_t i = 0; i < COPIES; i++) {
        struct step step = s->steps[s->at + i];
        hm_safepoint(m);
        if (!replace(m, s, step))
            return false;
        checksum = checksum * 31 + step.original;
    }
    run->checksum = checksum;
    s->at = (s->at + COPIES) % STEPS;
    return true;
}

__attribute__((noinline)) static uint64_t churn(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++)
        if (prepare(run) || !replace_many(run, run->state))
            return done;
    return units;
}

static bool fill_window(struct hm_run *run) {
    struct snapshot *s = run->state;
    uint32_t places = (uint32_t)run->params[PARAM_WINDOW].number;
    s->window = hm_new_array(run->mutator, &array_type, places);
    for (uint32_t i = 0; s->window && i < places; i++) {
        struct step step = s->steps[i % STEPS];
        step.place = i;
        if (!replace(run->mutator, s, step))
            return false;
    }
    return s->window;
}

static void draw(struct hm_run *run) {
    struct snapshot *s = run->state;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    for (size_t i = 0; i < STEPS; i++)
        s->steps[i] = (struct step){
            .original = (uint32_t)hm_random_below(&random, s->file->containers),
            .place = (uint32_t)hm_random_below(&random, (uint64_t)run->params[PARAM_WINDOW].number),
            .cyclic = hm_random_below(&random, 100) < (uint64_t)run->params[PARAM_CYCLIC].number};
}

/* ---- The work ---- */

/* Collectors count containers, or all objects, that are left to them or that there were; a tracer the
 * nursery, too. One that finds no cycles, or does not tell, says 0 or less; one that other threads share finds
 * theirs with it. The first collection may find what was left before, too. */
static void note_found(struct hm_run *run, int64_t found) {
    struct snapshot *s = run->state;
    bool judged = s->judged;
    s->judged = true;
    if (!judged || found <= 0 || (run->together && run->threads > 1))
        return;
    uint64_t count = (uint64_t)found;
    if (what_of(run) == WHAT_LIVE)
        s->missed = true;
    else
        s->missed |= count != s->left_containers && count != s->left_objects &&
                     count != s->file->count && count != s->file->count + (uint64_t)1;
}

__attribute__((noinline)) static uint64_t collect(struct hm_run *run, uint64_t units) {
    for (uint64_t done = 0; done < units; done++) {
        if (prepare(run))
            return done;
        if (what_of(run) == WHAT_GARBAGE)
            drop_graph(run);
        note_found(run, hm_collect(run->mutator, 2));
        run->checksum = run->checksum * 31 + ((struct snapshot *)run->state)->file->count;
    }
    return units;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    return what_of(run) == WHAT_CHURN ? churn(run, units) : collect(run, units);
}

/* ---- Setup ---- */

static const char *conflict(const struct hm_value *values) {
    static char why[HM_OBJECTS_WHY_BYTES];
    const struct hm_objects *file;
    if (!values[PARAM_FILE].text[0])
        return "file= is missing: an object graph (docs/objects.md)";
    if (hm_objects_open(values[PARAM_FILE].text, &file, why))
        return why;
    bool empty = file->containers == 0;
    hm_objects_close(file);
    return empty ? "file=: there is no container in it" : NULL;
}

static unsigned needs(const struct hm_value *values) {
    return values[PARAM_WHAT].number == WHAT_CHURN ? 0 : HM_GC_ON_DEMAND;
}

static struct snapshot *map_snapshot(const struct hm_objects *file) {
    size_t bytes = sizeof(struct snapshot) +
                   ((size_t)file->count + file->roots) * sizeof(struct hm_object *) +
                   STEPS * sizeof(struct step) + file->count;
    struct snapshot *s = hm_scratch(bytes);
    if (!s)
        return NULL;
    s->bytes = bytes;
    s->file = file;
    s->objects = (struct hm_object **)(s + 1);
    s->roots = s->objects + file->count;
    s->steps = (struct step *)(s->roots + file->roots);
    s->sizes = (uint8_t *)(s->steps + STEPS);
    return s;
}

static void choose_sizes(struct snapshot *s) {
    for (uint32_t i = 0; i < s->file->count; i++) {
        uint64_t taken = HEADER_BYTES;
        if (i < s->file->containers)
            taken += COLLECTOR_BYTES + slots_of(s->file, i) * sizeof(struct hm_object *);
        uint64_t bytes = s->file->nodes[i].bytes;
        s->sizes[i] = size_of(bytes > taken ? bytes - taken : 0);
    }
}

static void root_all(struct hm_run *run) {
    struct snapshot *s = run->state;
    hm_root(run->mutator, &s->nursery);
    hm_root(run->mutator, &s->window);
    for (uint32_t i = 0; i < s->file->roots; i++)
        hm_root(run->mutator, &s->roots[i]);
}

static void teardown(struct hm_run *run) {
    struct snapshot *s = run->state;
    hm_drop_array(run->mutator, &s->window);
    drop_graph(run);
    hm_unroot(run->mutator, s->file->roots + 2);
    __atomic_fetch_sub(&hm_scratch_held_bytes, s->file->mapped_bytes, __ATOMIC_RELAXED);
    hm_objects_close(s->file);
    hm_scratch_free(s, s->bytes);
    run->state = NULL;
}

static int set_up(struct hm_run *run, const struct hm_objects *file) {
    struct snapshot *s = map_snapshot(file);
    if (!s || hm_objects_left(file, &s->left_containers, &s->left_objects)) {
        hm_scratch_free(s, s ? s->bytes : 1);
        hm_objects_close(file);
        return ENOMEM;
    }
    run->state = s;
    __atomic_fetch_add(&hm_scratch_held_bytes, file->mapped_bytes, __ATOMIC_RELAXED);
    choose_sizes(s);
    draw(run);
    root_all(run);
    if (!make_graph(run) && (what_of(run) != WHAT_CHURN || fill_window(run)))
        return 0;
    teardown(run);
    return ENOMEM;
}

static int setup(struct hm_run *run) {
    char why[HM_OBJECTS_WHY_BYTES];
    const struct hm_objects *file;
    int bad = hm_objects_open(run->params[PARAM_FILE].text, &file, why);
    return bad ? bad : set_up(run, file);
}

/* ---- Verification ---- */

static bool is_whole(const struct snapshot *s, uint32_t i) {
    struct hm_object *object = s->objects[i];
    uint32_t slots = slots_of(s->file, i);
    if (s->sizes[i] && memcmp(hm_payload(object), &i, sizeof i) != 0)
        return false;
    if (i >= s->file->containers)
        return true;
    if (hm_length(object) != slots)
        return false;
    for (uint32_t j = 0; j < slots; j++)
        if (hm_load(object, j) != s->objects[s->file->targets[s->file->nodes[i].first + j]])
            return false;
    return true;
}

/* The graph, which may have to be made for this, must be as recorded after a collection. */
static const char *verify(struct hm_run *run) {
    struct snapshot *s = run->state;
    if (s->missed)
        return "a collection did not find just what was garbage";
    if (prepare(run))
        return "memory ran out in the graph for verification";
    hm_collect(run->mutator, 2);
    const char *broken = NULL;
    for (uint32_t i = 0; i < s->file->count && !broken; i++)
        broken = is_whole(s, i) ? NULL : "the graph is not as it was recorded";
    if (what_of(run) == WHAT_GARBAGE)
        drop_graph(run);
    hm_collect(run->mutator, 2);
    return broken;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct snapshot *s = run->state;
    uint64_t copies = s->window ? (uint64_t)run->params[PARAM_WINDOW].number + 1 : 0;
    return copies + (s->made ? s->file->count : 0);
}

static const struct hm_workload snapshot = {
    HM_WORKLOAD_VARIANT,
    .name = "snapshot",
    .summary = "a recorded object graph of a Python program is collected, or worked on",
    .stresses = "the collector on a heap whose shapes, sizes and sharing are a program's own",
    .origin = "a program of yours, by heapmark record --objects; gc.collect() in it",
    .op = "full collection; with what=churn, container made and let go",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .conflict = conflict,
    .needs = needs,
    .setup = setup,
    .prepare = prepare,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, snapshot);
