/* A B-tree of records: the lowest keys are deleted and inserted again, and the tree is collected, which has
 * no garbage that counting would not have freed.
 *
 * Vocabulary
 *   degree   a node holds degree - 1 to 2 degree - 1 records (the root may have fewer) and, unless it is
 *            a bottom node, one child more. All bottom nodes are equally deep.
 *   missing  records that were deleted and are not back yet. Not 0 between two units only if memory ran
 *            out; the next run goes on with them.
 *
 * A unit deletes the lowest `churn` percent of the keys one by one, lowest first, and inserts them again in
 * a random order. A reference that moves within the tree is stored in its new place and then cleared in
 * its old one, so that counting pays for it. Insertion splits full nodes and deletion fills up small ones on
 * the way down, as in Cormen et al., Introduction to Algorithms. */
#include "workloads/objects.h"
#include "workloads/scratch.h"

#include <errno.h>

enum {
    PARAM_RECORDS,
    PARAM_DEGREE,
    PARAM_CHURN,
    PARAM_COLLECT,
};

enum {
    COLLECT_END,
    COLLECT_AUTO,
};

static const struct hm_param params[] = {
    [PARAM_RECORDS] = {.name = "records",
                       .unit = "records",
                       .help = "in the tree",
                       .kind = HM_PARAM_COUNT,
                       .initial = 20000,
                       .min = 1,
                       .max = 10000000},
    [PARAM_DEGREE] = {.name = "degree",
                      .unit = "",
                      .help = "the minimum degree: a node has at most 2 degree - 1 records",
                      .kind = HM_PARAM_COUNT,
                      .initial = 16,
                      .min = 2,
                      .max = 512},
    [PARAM_CHURN] = {.name = "churn",
                     .unit = "percent",
                     .help = "of the keys, lowest first, that are deleted and inserted again",
                     .kind = HM_PARAM_COUNT,
                     .initial = 20,
                     .min = 1,
                     .max = 100},
    [PARAM_COLLECT] = {.name = "collect",
                       .unit = "",
                       .help = "collect explicitly at the end of each unit, or never",
                       .kind = HM_PARAM_CHOICE,
                       .initial = COLLECT_END,
                       .choices = "end|auto"},
    {.name = NULL},
};

struct record {
    uint64_t key;
    uint64_t check; /* hm_mix() of it */
};

/* Slots of a node: 2 degree - 1 records; then, unless it is at the bottom, 2 degree children. */
static const struct hm_type node_type = {
    .name = "node", .variable = true, .payload_bytes = sizeof(uint64_t)};
static const struct hm_type record_type = {.name = "record",
                                           .payload_bytes = sizeof(struct record)};

struct btree {
    struct hm_object *root;   /* rooted; NULL: there is no tree */
    struct hm_object *record; /* rooted: on its way in */
    uint32_t degree;
    uint32_t records, churned;
    uint32_t missing;
    uint64_t nodes;
    bool broken;      /* what was deleted was not the lowest */
    size_t bytes;     /* of this structure with what is behind it */
    uint32_t order[]; /* keys, as they are inserted at first, and behind these as they are again */
};

/* ---- Nodes ---- */

static inline uint32_t capacity(const struct btree *t) {
    return 2 * t->degree - 1;
}

static inline bool is_bottom(const struct btree *t, const struct hm_object *node) {
    return hm_length(node) == capacity(t);
}

/* Records in a node. */
static inline uint64_t *count_of(struct hm_object *node) {
    return hm_payload(node);
}

static inline uint64_t key_of(struct hm_object *record) {
    return ((const struct record *)hm_payload(record))->key;
}

static inline struct hm_object *child_of(const struct btree *t, struct hm_object *node,
                                         uint32_t i) {
    return hm_load(node, capacity(t) + i);
}

static struct hm_object *new_node(struct hm_mutator *m, struct btree *t, bool bottom) {
    struct hm_object *node =
        hm_new_array(m, &node_type, capacity(t) + (bottom ? 0 : 2 * t->degree));
    t->nodes += node != NULL;
    return node;
}

/* A node that nothing refers to but the caller, who gives it up. */
static void end_node(struct hm_mutator *m, struct btree *t, struct hm_object *node) {
    t->nodes--;
    hm_dispose(m, node);
    hm_release(m, node);
}

/* Move `count` references from one run of slots to another that does not overlap it. */
static void move(struct hm_mutator *m, struct hm_object *to, uint32_t to_slot,
                 struct hm_object *from, uint32_t from_slot, uint64_t count) {
    for (uint32_t i = 0; i < count; i++) {
        hm_store(m, to, to_slot + i, hm_load(from, from_slot + i));
        hm_store(m, from, from_slot + i, NULL);
    }
}

/* Make room at a slot by moving it and those behind it, up to `end`, which is empty. */
static inline void open_gap(struct hm_mutator *m, struct hm_object *node, uint32_t slot,
                            uint32_t end) {
    for (uint32_t i = end; i > slot; i--)
        hm_store(m, node, i, hm_load(node, i - 1));
}

/* Close the gap at a slot; the last one before `end` is empty then. */
static inline void close_gap(struct hm_mutator *m, struct hm_object *node, uint32_t slot,
                             uint32_t end) {
    for (uint32_t i = slot; i + 1 < end; i++)
        hm_store(m, node, i, hm_load(node, i + 1));
    hm_store(m, node, end - 1, NULL);
}

/* ---- Insertion ---- */

/* Split the full child i of a node that is not full; its upper half goes to `sibling`, a new node. */
static void split(struct hm_mutator *m, struct btree *t, struct hm_object *node, uint32_t i,
                  struct hm_object *sibling) {
    struct hm_object *child = child_of(t, node, i);
    uint32_t count = (uint32_t)*count_of(node);
    open_gap(m, node, i, count);
    open_gap(m, node, capacity(t) + i + 1, capacity(t) + count + 1);
    move(m, sibling, 0, child, t->degree, t->degree - 1);
    if (!is_bottom(t, child))
        move(m, sibling, capacity(t), child, capacity(t) + t->degree, t->degree);
    move(m, node, i, child, t->degree - 1, 1);
    hm_store(m, node, capacity(t) + i + 1, sibling);
    *count_of(node) = count + 1;
    *count_of(child) = *count_of(sibling) = t->degree - 1;
}

/* @return false: out of memory, and the tree is as it was */
static bool split_child(struct hm_mutator *m, struct btree *t, struct hm_object *node, uint32_t i) {
    struct hm_object *sibling = new_node(m, t, is_bottom(t, child_of(t, node, i)));
    if (!sibling)
        return false;
    split(m, t, node, i, sibling);
    hm_release(m, sibling);
    return true;
}

/* The tree grows by a level. @return false: out of memory, and the tree is as it was */
static bool split_root(struct hm_mutator *m, struct btree *t) {
    struct hm_object *above = new_node(m, t, false);
    if (!above)
        return false;
    hm_root(m, &above);
    struct hm_object *sibling = new_node(m, t, is_bottom(t, t->root));
    hm_unroot(m, 1);
    if (!sibling) {
        end_node(m, t, above);
        return false;
    }
    hm_store(m, above, capacity(t), t->root);
    hm_release(m, t->root);
    t->root = above;
    split(m, t, above, 0, sibling);
    hm_release(m, sibling);
    return true;
}

/* The place of a key in a node: how many of its records are lower. */
static inline uint32_t place_of(struct hm_object *node, uint64_t key) {
    uint32_t low = 0;
    for (uint32_t high = (uint32_t)*count_of(node); low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (key_of(hm_load(node, middle)) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Put t->record into the tree. @return false: out of memory, and it is not there */
static bool put(struct hm_mutator *m, struct btree *t) {
    uint64_t key = key_of(t->record);
    if (*count_of(t->root) == capacity(t) && !split_root(m, t))
        return false;
    struct hm_object *node = t->root;
    uint32_t place = place_of(node, key);
    while (!is_bottom(t, node)) {
        if (*count_of(child_of(t, node, place)) == capacity(t)) {
            if (!split_child(m, t, node, place))
                return false;
            place += key_of(hm_load(node, place)) < key;
        }
        node = child_of(t, node, place);
        place = place_of(node, key);
    }
    open_gap(m, node, place, (uint32_t)*count_of(node));
    hm_store(m, node, place, t->record);
    ++*count_of(node);
    return true;
}

/* @return false: out of memory, and the tree is without it */
static bool insert(struct hm_mutator *m, struct btree *t, uint32_t key) {
    hm_safepoint(m);
    t->record = hm_new(m, &record_type);
    if (!t->record)
        return false;
    *(struct record *)hm_payload(t->record) = (struct record){key, hm_mix(key)};
    bool done = put(m, t);
    if (!done)
        hm_dispose(m, t->record);
    hm_drop(m, &t->record);
    return done;
}

/* ---- Deletion of the lowest ---- */

/* The first child has too few records, its sibling can spare one. */
static void borrow(struct hm_mutator *m, struct btree *t, struct hm_object *node) {
    struct hm_object *child = child_of(t, node, 0);
    struct hm_object *sibling = child_of(t, node, 1);
    uint32_t count = (uint32_t)*count_of(child);
    uint32_t spare = (uint32_t)*count_of(sibling);
    hm_store(m, child, count, hm_load(node, 0));
    hm_store(m, node, 0, hm_load(sibling, 0));
    close_gap(m, sibling, 0, spare);
    if (!is_bottom(t, child)) {
        hm_store(m, child, capacity(t) + count + 1, child_of(t, sibling, 0));
        close_gap(m, sibling, capacity(t), capacity(t) + spare + 1);
    }
    *count_of(child) = count + 1;
    *count_of(sibling) = spare - 1;
}

/* The first child takes the record behind it and all of its sibling, which ends. */
static void merge(struct hm_mutator *m, struct btree *t, struct hm_object *node) {
    struct hm_object *child = child_of(t, node, 0);
    struct hm_object *sibling = child_of(t, node, 1);
    uint32_t count = (uint32_t)*count_of(child);
    uint32_t above = (uint32_t)*count_of(node);
    uint64_t more = *count_of(sibling);
    hm_retain(m, sibling);
    hm_store(m, child, count, hm_load(node, 0));
    move(m, child, count + 1, sibling, 0, more);
    if (!is_bottom(t, child))
        move(m, child, capacity(t) + count + 1, sibling, capacity(t), more + 1);
    close_gap(m, node, 0, above);
    close_gap(m, node, capacity(t) + 1, capacity(t) + above + 1);
    *count_of(child) = count + 1 + more;
    *count_of(node) = above - 1;
    end_node(m, t, sibling);
}

/* An empty root gives way to its only child. */
static void shrink(struct hm_mutator *m, struct btree *t) {
    struct hm_object *old = t->root;
    if (*count_of(old) > 0 || is_bottom(t, old))
        return;
    t->root = child_of(t, old, 0);
    hm_retain(m, t->root);
    end_node(m, t, old);
}

/* @return its key. The tree is not empty */
static uint64_t delete_lowest(struct hm_mutator *m, struct btree *t) {
    struct hm_object *node = t->root;
    hm_safepoint(m);
    while (!is_bottom(t, node)) {
        struct hm_object *child = child_of(t, node, 0);
        if (*count_of(child) == t->degree - 1) {
            if (*count_of(child_of(t, node, 1)) > t->degree - 1)
                borrow(m, t, node);
            else
                merge(m, t, node);
        }
        node = child;
    }
    struct hm_object *record = hm_load(node, 0);
    uint64_t key = key_of(record);
    hm_retain(m, record);
    close_gap(m, node, 0, (uint32_t)*count_of(node));
    --*count_of(node);
    hm_dispose(m, record);
    hm_release(m, record);
    shrink(m, t);
    return key;
}

/* ---- The work ---- */

static uint32_t churned_of(const struct hm_value *values) {
    int64_t churned = values[PARAM_RECORDS].number * values[PARAM_CHURN].number / 100;
    return churned ? (uint32_t)churned : 1;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return churned_of(values);
}

static void delete_all_lowest(struct hm_mutator *m, struct btree *t) {
    for (uint32_t i = 0; i < t->churned; i++)
        if (delete_lowest(m, t) != i)
            t->broken = true;
    t->missing = t->churned;
}

/* @return whether nothing is missing any more */
static bool insert_missing(struct hm_mutator *m, struct btree *t) {
    const uint32_t *order = t->order + t->records;
    while (t->missing > 0) {
        if (!insert(m, t, order[t->churned - t->missing]))
            return false;
        t->missing--;
    }
    return true;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct hm_mutator *m = run->mutator;
    struct btree *t = run->state;
    for (uint64_t done = 0; done < units; done++) {
        if (t->missing == 0)
            delete_all_lowest(m, t);
        if (!insert_missing(m, t))
            return done;
        if (run->params[PARAM_COLLECT].number == COLLECT_END)
            hm_collect(m, 2);
        run->checksum = run->checksum * 31 + t->nodes;
    }
    return units;
}

/* ---- Setting up ---- */

static void shuffle(struct hm_random *random, uint32_t *keys, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = (uint32_t)hm_random_below(random, i + 1u);
        keys[i] = keys[j];
        keys[j] = i;
    }
}

static void dispose_node(struct hm_mutator *m, struct btree *t, struct hm_object *node) {
    for (uint32_t i = 0; i < *count_of(node); i++)
        hm_dispose(m, hm_load(node, i));
    for (uint32_t i = 0; !is_bottom(t, node) && i <= *count_of(node); i++)
        dispose_node(m, t, child_of(t, node, i));
    hm_dispose(m, node);
}

static void teardown(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct btree *t = run->state;
    if (HM_DISPOSES && t->root)
        dispose_node(m, t, t->root);
    hm_drop(m, &t->root);
    hm_unroot(m, 2);
    hm_scratch_free(t, t->bytes);
    run->state = NULL;
}

/* @return the state without a tree, or NULL */
static struct btree *new_state(const struct hm_run *run) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t records = (uint32_t)run->params[PARAM_RECORDS].number;
    uint32_t churned = churned_of(run->params);
    size_t bytes = sizeof(struct btree) + ((size_t)records + churned) * sizeof(uint32_t);
    struct btree *t = hm_scratch(bytes);
    if (!t)
        return NULL;
    t->bytes = bytes;
    t->records = records;
    t->churned = churned;
    t->degree = (uint32_t)run->params[PARAM_DEGREE].number;
    shuffle(&random, t->order, records);
    shuffle(&random, t->order + records, churned);
    return t;
}

static int setup(struct hm_run *run) {
    struct hm_mutator *m = run->mutator;
    struct btree *t = run->state = new_state(run);
    if (!t)
        return ENOMEM;
    hm_root(m, &t->root);
    hm_root(m, &t->record);
    t->root = new_node(m, t, true);
    bool enough = t->root;
    for (uint32_t i = 0; enough && i < t->records; i++)
        enough = insert(m, t, t->order[i]);
    if (!enough)
        teardown(run);
    return enough ? 0 : ENOMEM;
}

/* ---- Verification ---- */

struct walk {
    const struct btree *tree;
    uint64_t keys; /* that were met, in ascending order */
    uint64_t next; /* no key below it comes any more */
    uint64_t nodes;
    unsigned depth; /* of the bottom nodes; 0: none was met */
    bool broken;
};

static void walk_record(struct walk *walk, struct hm_object *object) {
    const struct record *record = object ? hm_payload(object) : NULL;
    if (!record || record->key < walk->next || record->check != hm_mix(record->key)) {
        walk->broken = true;
        return;
    }
    walk->next = record->key + 1;
    walk->keys++;
}

static void walk_node(struct walk *walk, struct hm_object *node, unsigned depth) {
    const struct btree *t = walk->tree;
    uint64_t count = *count_of(node);
    bool bottom = is_bottom(t, node);
    if (count > capacity(t) || (node != t->root && count < t->degree - 1))
        walk->broken = true;
    if (bottom && walk->depth && walk->depth != depth)
        walk->broken = true;
    if (bottom)
        walk->depth = depth;
    walk->nodes++;
    for (uint32_t i = 0; !walk->broken && i <= count; i++) {
        if (!bottom)
            walk_node(walk, child_of(t, node, i), depth + 1);
        if (i < count)
            walk_record(walk, hm_load(node, i));
    }
}

static const char *verify(struct hm_run *run) {
    struct btree *t = run->state;
    struct walk walk = {.tree = t};
    if (t->broken)
        return "a record that was deleted was not the lowest one";
    hm_collect(run->mutator, 2);
    walk_node(&walk, t->root, 1);
    if (walk.broken || walk.next > t->records)
        return "the tree is not a B-tree any more";
    if (walk.keys != t->records - t->missing || walk.nodes != t->nodes)
        return "the tree does not hold what was put into it";
    return NULL;
}

static uint64_t live_objects(const struct hm_run *run) {
    const struct btree *t = run->state;
    return t->nodes + t->records - t->missing;
}

static const struct hm_workload btree = {
    HM_WORKLOAD_VARIANT,
    .name = "btree",
    .summary = "delete the lowest records of a B-tree, insert them again, collect",
    .stresses = "a collector's passes over a large live structure without cycles",
    .origin = "btree and btree_gc of pyperformance; there records=200000",
    .op = "record deleted and inserted again",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_objects = live_objects,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, btree);
