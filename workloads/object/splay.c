/* A splay tree in which each node carries a tree of its own: nodes come and go, and the
 * top of the tree is stored into all the time.
 *
 * Vocabulary
 *   splay     to bring the node with a key, or the last one on the way to where it would be, to the root
 *             (Sleator and Tarjan, top-down).
 *   payload   a perfect binary tree whose leaves have ten integers and a text each.
 *
 * A unit makes 80 changes: a node with a new random key is put in, and the one with the greatest smaller
 * key taken out, or, if there is none, itself. The time of each unit is read: a figure of this workload is
 * their root mean square, which one long pause raises more than many short ones. */
#include "workloads/clock.h"
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <math.h>

enum {
    PARAM_KEYS,
    PARAM_DEPTH,
};

enum {
    LEFT,
    RIGHT,
    PAYLOAD,
};

enum {
    CHANGES = 80, /* in a unit */
    INTEGERS = 10,
    TEXT_BYTES = 48,
};

static const struct hm_param params[] = {
    [PARAM_KEYS] = {.name = "keys",
                    .unit = "keys",
                    .help = "nodes of the tree",
                    .kind = HM_PARAM_COUNT,
                    .initial = 2000,
                    .min = 1,
                    .max = 1000000},
    [PARAM_DEPTH] = {.name = "depth",
                     .unit = "levels",
                     .help = "depth of the payload that each node has",
                     .kind = HM_PARAM_COUNT,
                     .initial = 5,
                     .min = 0,
                     .max = 16},
    {.name = NULL},
};

enum {
    STEP_RMS,
};

static const struct hm_figure figures[] = {
    [STEP_RMS] = {.name = "step_rms_ns",
                  .unit = "ns",
                  .help = "root mean square of the times between the ends of two units",
                  .better = HM_FIGURE_LOWER_IS_BETTER,
                  .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

static const struct hm_type node_type = {
    .name = "node", .slots = 3, .payload_bytes = sizeof(double)};
static const struct hm_type inner_type = {.name = "inner", .slots = 2};
static const struct hm_type leaf_type = {.name = "leaf", .slots = 2};
static const struct hm_type integers_type = {.name = "integers",
                                             .payload_bytes = INTEGERS * sizeof(int32_t)};
static const struct hm_type text_type = {.name = "text", .payload_bytes = TEXT_BYTES};

struct splay {
    struct hm_object *root;  /* root */
    struct hm_object *dummy; /* root: its slots are empty but in splay() */
    uint64_t seed;
    uint64_t at;       /* keys that were drawn */
    double squares_ns; /* of the times of units, since measure() was called last */
    uint64_t units;    /* since then */
};

static uint64_t objects_of_payload(uint64_t depth) {
    return hm_tree_nodes((unsigned)depth) + ((uint64_t)2 << depth);
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    (void)values;
    return CHANGES;
}

static double key_of(struct hm_object *node) {
    return *(double *)hm_payload(node);
}

/* ---- Payloads ---- */

static struct hm_object *make_integers(struct hm_mutator *m) {
    struct hm_object *object = hm_new(m, &integers_type);
    if (!object)
        return NULL;
    int32_t *integers = hm_payload(object);
    for (int i = 0; i < INTEGERS; i++)
        integers[i] = i;
    return object;
}

static struct hm_object *make_text(struct hm_mutator *m, double key) {
    static const char words[TEXT_BYTES - sizeof key] = "for a key, in a leaf of its payload";
    struct hm_object *text = hm_new(m, &text_type);
    if (!text)
        return NULL;
    memcpy(hm_payload(text), &key, sizeof key);
    memcpy((char *)hm_payload(text) + sizeof key, words, sizeof words);
    return text;
}

static void dispose_payload(struct hm_mutator *m, struct hm_object *payload, uint64_t depth) {
    struct hm_object *left = hm_load(payload, LEFT);
    struct hm_object *right = hm_load(payload, RIGHT);
    hm_dispose(m, payload);
    if (depth > 0) {
        dispose_payload(m, left, depth - 1);
        dispose_payload(m, right, depth - 1);
    } else {
        hm_dispose(m, left);
        hm_dispose(m, right);
    }
}

/* A half that may not have been made; `depth` is that of the whole. */
static void drop_half(struct hm_mutator *m, struct hm_object **half, uint64_t depth) {
    if (HM_DISPOSES && *half && depth > 0)
        dispose_payload(m, *half, depth - 1);
    else if (*half)
        hm_dispose(m, *half);
    hm_drop(m, half);
}

/* @return a payload, owned by the caller; NULL: out of memory, and nothing is held */
static struct hm_object *make_payload(struct hm_mutator *m, double key, uint64_t depth) {
    struct hm_object *left = NULL;
    struct hm_object *right = NULL;
    struct hm_object *both = NULL;
    hm_safepoint(m);
    hm_root(m, &left);
    hm_root(m, &right);
    left = depth ? make_payload(m, key, depth - 1) : make_integers(m);
    if (left)
        right = depth ? make_payload(m, key, depth - 1) : make_text(m, key);
    if (right)
        both = hm_new(m, depth ? &inner_type : &leaf_type);
    if (both) {
        hm_init_store(m, both, LEFT, left);
        hm_init_store(m, both, RIGHT, right);
    } else {
        drop_half(m, &right, depth);
        drop_half(m, &left, depth);
    }
    hm_unroot(m, 2);
    return both;
}

/* ---- The tree ---- */

/* @return what was in a slot, now owned by the caller; NULL is allowed */
static inline struct hm_object *take(struct hm_mutator *m, struct hm_object *node, uint32_t side) {
    struct hm_object *child = hm_load(node, side);
    hm_retain(m, child);
    hm_store(m, node, side, NULL);
    return child;
}

static inline bool is_beyond(struct hm_object *node, double key, uint32_t side) {
    return side == LEFT ? key < key_of(node) : key > key_of(node);
}

/* @return the side of a node on which a key is to be looked for; -1: here */
static inline int side_of(struct hm_object *node, double key) {
    return is_beyond(node, key, LEFT) ? LEFT : is_beyond(node, key, RIGHT) ? RIGHT : -1;
}

/* All that is less, and all that is more than what is still to be looked at, hangs on the dummy's right
 * and left. The tree is not empty. */
static void splay(struct hm_mutator *m, struct splay *s, double key) {
    struct hm_object *ends[] = {s->dummy, s->dummy}; /* where the next such subtree goes */
    struct hm_object *current = s->root;
    for (int side; (side = side_of(current, key)) >= 0;) {
        uint32_t near = (uint32_t)side;
        uint32_t far = !near;
        struct hm_object *child = hm_load(current, near);
        if (child && is_beyond(child, key, near)) {
            child = take(m, current, near);
            hm_adopt(m, current, near, take(m, child, far));
            hm_adopt(m, child, far, current);
            current = child;
            child = hm_load(current, near);
        }
        if (!child)
            break;
        struct hm_object *next = take(m, current, near);
        hm_adopt(m, ends[near], near, current);
        ends[near] = current;
        current = next;
    }
    hm_adopt(m, ends[RIGHT], RIGHT, take(m, current, LEFT));
    hm_adopt(m, ends[LEFT], LEFT, take(m, current, RIGHT));
    hm_adopt(m, current, LEFT, take(m, s->dummy, RIGHT));
    hm_adopt(m, current, RIGHT, take(m, s->dummy, LEFT));
    s->root = current;
}

/* Put a node with a new key in; takes the caller's reference. */
static void insert(struct hm_mutator *m, struct splay *s, struct hm_object *node) {
    if (s->root) {
        splay(m, s, key_of(node));
        uint32_t side = key_of(node) > key_of(s->root) ? LEFT : RIGHT;
        hm_adopt(m, node, !side, take(m, s->root, !side));
        hm_adopt(m, node, side, s->root);
    }
    s->root = node;
}

static void dispose_node(struct hm_mutator *m, struct hm_object *node, uint64_t depth) {
    if (!HM_DISPOSES)
        return;
    dispose_payload(m, hm_load(node, PAYLOAD), depth);
    hm_dispose(m, node);
}

/* Take the root out. */
static void remove_root(struct hm_mutator *m, struct splay *s, uint64_t depth) {
    struct hm_object *node = s->root;
    double key = key_of(node);
    struct hm_object *left = take(m, node, LEFT);
    struct hm_object *right = take(m, node, RIGHT);
    s->root = left ? left : right;
    if (left) {
        splay(m, s, key);
        hm_adopt(m, s->root, RIGHT, right);
    }
    dispose_node(m, node, depth);
    hm_release(m, node);
}

/* Bring the node with the greatest key that is less than that of the root to the root, if there is one. */
static void splay_predecessor(struct hm_mutator *m, struct splay *s) {
    struct hm_object *node = hm_load(s->root, LEFT);
    if (!node)
        return;
    while (hm_load(node, RIGHT))
        node = hm_load(node, RIGHT);
    splay(m, s, key_of(node));
}

/* ---- The work ---- */

/* In 0 .. 1, with 53 bits. */
static double draw_key(struct splay *s) {
    return (double)(hm_mix(s->seed + s->at++ * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
}

/* One that is not in the tree. */
static double draw_new_key(struct hm_mutator *m, struct splay *s) {
    for (;;) {
        double key = draw_key(s);
        if (!s->root)
            return key;
        splay(m, s, key);
        if (side_of(s->root, key) >= 0)
            return key;
    }
}

/* @return false: out of memory, and the keys are the same as before */
static bool add_node(struct hm_run *run, struct splay *s) {
    struct hm_mutator *m = run->mutator;
    uint64_t depth = (uint64_t)run->params[PARAM_DEPTH].number;
    double key = draw_new_key(m, s);
    struct hm_object *payload = make_payload(m, key, depth);
    if (!payload)
        return false;
    hm_root(m, &payload);
    struct hm_object *node = hm_new(m, &node_type);
    hm_unroot(m, 1);
    if (!node) {
        if (HM_DISPOSES)
            dispose_payload(m, payload, depth);
        hm_release(m, payload);
        return false;
    }
    *(double *)hm_payload(node) = key;
    hm_init_store(m, node, PAYLOAD, payload);
    insert(m, s, node);
    return true;
}

static bool change(struct hm_run *run, struct splay *s) {
    uint64_t bits;
    hm_safepoint(run->mutator);
    if (!add_node(run, s))
        return false;
    splay_predecessor(run->mutator, s);
    double key = key_of(s->root);
    memcpy(&bits, &key, sizeof bits);
    run->checksum = run->checksum * 31 + bits;
    remove_root(run->mutator, s, (uint64_t)run->params[PARAM_DEPTH].number);
    return true;
}

static bool run_unit(struct hm_run *run, struct splay *s) {
    for (int i = 0; i < CHANGES; i++)
        if (!change(run, s))
            return false;
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct splay *s = run->state;
    uint64_t before_ns = hm_clock_ns();
    for (uint64_t done = 0; done < units; done++) {
        if (!run_unit(run, s))
            return done;
        uint64_t now_ns = hm_clock_ns();
        double step_ns = (double)(now_ns - before_ns);
        s->squares_ns += step_ns * step_ns;
        s->units++;
        before_ns = now_ns;
    }
    return units;
}

static void measure(struct hm_run *run, double *values) {
    struct splay *s = run->state;
    if (s->units)
        values[STEP_RMS] = sqrt(s->squares_ns / (double)s->units);
    s->squares_ns = 0;
    s->units = 0;
}

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct splay *s = run->state;
    while (HM_DISPOSES && s->root)
        remove_root(m, s, (uint64_t)run->params[PARAM_DEPTH].number);
    if (s->dummy)
        hm_dispose(m, s->dummy);
    hm_drop(m, &s->root);
    hm_drop(m, &s->dummy);
    hm_unroot(m, 2);
    hm_scratch_free(s, sizeof *s);
    run->state = NULL;
}

static int setup(struct hm_run *run) {
    struct splay *s = run->state = hm_scratch(sizeof *s);
    if (!s)
        return ENOMEM;
    s->seed = hm_mix(run->seed + (run->thread + 1u) * 0x632be59bd9b4e019u);
    hm_root(run->mutator, &s->root);
    hm_root(run->mutator, &s->dummy);
    bool enough = (s->dummy = hm_new(run->mutator, &node_type));
    for (int64_t i = 0; enough && i < run->params[PARAM_KEYS].number; i++)
        enough = add_node(run, s);
    if (enough)
        return 0;
    teardown(run);
    return ENOMEM;
}

/* ---- Verification ---- */

/* @return whether the payload is as it was made for the key */
static bool is_payload(struct hm_object *payload, double key, uint64_t depth) {
    if (!payload)
        return false;
    struct hm_object *left = hm_load(payload, LEFT);
    struct hm_object *right = hm_load(payload, RIGHT);
    if (depth > 0)
        return is_payload(left, key, depth - 1) && is_payload(right, key, depth - 1);
    if (!left || !right)
        return false;
    const int32_t *integers = hm_payload(left);
    for (int i = 0; i < INTEGERS; i++)
        if (integers[i] != i)
            return false;
    double kept;
    memcpy(&kept, hm_payload(right), sizeof kept);
    return kept == key;
}

/* What has been seen of the tree, from the least key on. */
struct looking {
    uint64_t depth;
    double last;
    int64_t nodes;
    const char *broken;
};

static void look_at(struct looking *looking, struct hm_object *node) {
    for (; node; node = hm_load(node, RIGHT)) {
        look_at(looking, hm_load(node, LEFT));
        if (key_of(node) <= looking->last)
            looking->broken = "the keys are not in order";
        if (!is_payload(hm_load(node, PAYLOAD), key_of(node), looking->depth))
            looking->broken = "a payload is not as it was made";
        looking->last = key_of(node);
        looking->nodes++;
    }
}

static const char *verify(struct hm_run *run) {
    const struct splay *s = run->state;
    struct looking looking = {.depth = (uint64_t)run->params[PARAM_DEPTH].number, .last = -1};
    look_at(&looking, s->root);
    if (!looking.broken && looking.nodes != run->params[PARAM_KEYS].number)
        return "the tree does not have as many keys as it should";
    return looking.broken;
}

static uint64_t live_objects(const struct hm_run *run) {
    uint64_t each = 1 + objects_of_payload((uint64_t)run->params[PARAM_DEPTH].number);
    return 1 + (uint64_t)run->params[PARAM_KEYS].number * each;
}

static const struct hm_workload splay_workload = {
    HM_WORKLOAD_VARIANT,
    .name = "splay",
    .summary = "put random keys into a splay tree and take others out, each with a tree of its own",
    .stresses =
        "stores into the top of an old tree, and death in no order; the figure is of pauses",
    .origin = "Splay of V8's and Octane's benchmarks: payload of depth 5, 80 changes a step; there "
              "keys=8000",
    .op = "node put in and taken out",
    .params = params,
    .figures = figures,
    .measure = measure,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, splay_workload);
