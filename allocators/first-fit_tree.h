/* First-fit's tree index: a B+tree of the free runs by address, where each entry also knows the
 * longest run below it. Included once for each instruction set; HM_TREE_CALLS names the result.
 *
 * Vocabulary
 *   node   HM_LANES entries in columns. In a leaf an entry is a run: `key` its offset, `best` its
 *          length. In an inner node it is a child: `key` a lower bound of its offsets, `best` the
 *          longest run in it
 *   level  0 for leaves; the root's level is the height
 *   path   the node and the slot on each level, from a leaf to the root
 *
 * Invariants
 *   Entries are in ascending order of key and fill a node from the left; unused ones hold NO_KEY
 *   and a best of 0, so that no search needs a count and none finds them.
 *   All offsets in a child are at least its key and below the next child's. The first key of an
 *   inner node is 0: the first child takes all that is below the second's key.
 *   A run lies where its offset belongs; it may reach past the bound of the leaves behind it.
 *   No leaf but the root is empty. Of two neighbours under one parent, one has more than THIN
 *   entries.
 *
 * The lowest run that fits is found by going, on each level, to the first entry that is large
 * enough: one vector comparison a level, and no step back. A change climbs only as far as a
 * maximum moves. */
#include "allocators/first-fit_index.h"
#include "allocators/first-fit_lanes.h"

#include <string.h>

#define NO_KEY UINT32_MAX

enum {
    THIN = HM_LANES / 4,       /* at most so many entries: worth a merge */
    MERGED = HM_LANES / 4 * 3, /* what a merge may fill */
    LEVELS = 16,
};

struct node {
    uint32_t key[HM_LANES];
    uint32_t best[HM_LANES];
    uint32_t child[HM_LANES]; /* inner nodes only: index of a node */
} __attribute__((aligned(64)));

struct hm_runs {
    uint32_t granules;
    unsigned height;
    uint32_t root;
    uint32_t spare; /* freed nodes, linked by child[0]; NO_KEY ends the list */
    uint32_t used;  /* nodes ever used */
    size_t bytes;   /* of the mapping */
    struct node nodes[];
};

struct path {
    struct node *node[LEVELS];
    unsigned slot[LEVELS];
};

/* ---- Nodes ---- */

/* There is one for every 8 granules: more than the invariants let the runs of an array use. */
static uint32_t new_node(struct hm_runs *runs) {
    uint32_t id = runs->spare;
    if (id == NO_KEY)
        id = runs->used++;
    else
        runs->spare = runs->nodes[id].child[0];
    struct node *node = &runs->nodes[id];
    memset(node->key, 0xff, sizeof node->key);
    memset(node->best, 0, sizeof node->best);
    return id;
}

static void drop_node(struct hm_runs *runs, uint32_t id) {
    runs->nodes[id].child[0] = runs->spare;
    runs->spare = id;
}

static bool has_entry(const struct node *node, unsigned slot) {
    return slot < HM_LANES && node->key[slot] != NO_KEY;
}

static unsigned count_entries(const struct node *node) {
    return count_at_most(node->key, NO_KEY - 1);
}

static void insert_child(struct node *node, unsigned slot, uint32_t key, uint32_t id) {
    insert_lane(node->key, slot, key);
    insert_lane(node->best, slot, 0);
    insert_lane(node->child, slot, id);
}

static void erase_child(struct node *node, unsigned slot) {
    erase_lane(node->key, slot, NO_KEY);
    erase_lane(node->best, slot, 0);
    erase_lane(node->child, slot, 0);
    if (slot == 0 && has_entry(node, 0))
        node->key[0] = 0;
}

/* The second column that a search will need, while it waits for the first. */
static inline void prefetch(const uint32_t *lanes) {
    for (unsigned i = 0; i < HM_LANES; i += 64 / sizeof *lanes)
        __builtin_prefetch(lanes + i);
}

/* ---- Paths ---- */

/* To the leaf where `key` belongs; slot[0] is the number of its runs that start at or before it. */
static inline void descend(struct hm_runs *runs, uint32_t key, struct path *path) {
    struct node *node = &runs->nodes[runs->root];
    for (unsigned level = runs->height; level > 0; level--) {
        unsigned slot = count_at_most(node->key, key) - 1;
        path->node[level] = node;
        path->slot[level] = slot;
        node = &runs->nodes[node->child[slot]];
    }
    prefetch(node->best);
    path->node[0] = node;
    path->slot[0] = count_at_most(node->key, key);
}

/* From slot[level] down to the lowest run that has `length`, which is there. */
static inline void descend_fitting(struct hm_runs *runs, unsigned level, uint32_t length,
                                   struct path *path) {
    for (; level > 0; level--) {
        struct node *node = &runs->nodes[path->node[level]->child[path->slot[level]]];
        prefetch(node->key);
        path->node[level - 1] = node;
        path->slot[level - 1] = first_at_least(node->best, length);
    }
}

/* To the last run of the leaf before. @return false: there is none, and nothing has changed */
static bool step_back(struct hm_runs *runs, struct path *path) {
    unsigned level = 1;
    while (level <= runs->height && path->slot[level] == 0)
        level++;
    if (level > runs->height)
        return false;
    path->slot[level]--;
    for (; level > 0; level--) {
        struct node *node = &runs->nodes[path->node[level]->child[path->slot[level]]];
        path->node[level - 1] = node;
        path->slot[level - 1] = count_entries(node) - 1;
    }
    return true;
}

/* To the last run that starts at or before `key`. @return false: there is none */
static bool descend_before(struct hm_runs *runs, uint32_t key, struct path *path) {
    descend(runs, key, path);
    if (path->slot[0] == 0)
        return step_back(runs, path);
    path->slot[0]--;
    return true;
}

/* ---- Maxima ---- */

/* An entry of the leaf had `old` and has less now. */
static inline void lowered(struct hm_runs *runs, struct path *path, uint32_t old) {
    for (unsigned level = 0; level < runs->height; level++) {
        uint32_t *best = &path->node[level + 1]->best[path->slot[level + 1]];
        if (old != *best)
            return;
        *best = largest(path->node[level]->best);
        if (*best == old)
            return;
    }
}

/* An entry of the leaf has `now`, and had less. */
static inline void raised(struct hm_runs *runs, struct path *path, uint32_t now) {
    for (unsigned level = 1; level <= runs->height; level++) {
        uint32_t *best = &path->node[level]->best[path->slot[level]];
        if (now <= *best)
            return;
        *best = now;
    }
}

/* ---- Shape ---- */

/* Halve the node at `level`, which is the root or has a parent with room. */
static void split(struct hm_runs *runs, struct path *path, unsigned level) {
    enum {
        HALF = HM_LANES / 2
    };
    uint32_t id = new_node(runs);
    struct node *left = path->node[level], *right = &runs->nodes[id];
    if (level == runs->height) {
        uint32_t root = new_node(runs);
        path->node[level + 1] = &runs->nodes[root];
        path->slot[level + 1] = 0;
        insert_child(path->node[level + 1], 0, 0, runs->root);
        runs->root = root;
        runs->height++;
    }
    for (unsigned i = 0; i < HALF; i++) {
        right->key[i] = left->key[HALF + i];
        right->best[i] = left->best[HALF + i];
        right->child[i] = left->child[HALF + i];
        left->key[HALF + i] = NO_KEY;
        left->best[HALF + i] = 0;
    }
    struct node *parent = path->node[level + 1];
    unsigned slot = path->slot[level + 1];
    insert_child(parent, slot + 1, right->key[0], id);
    parent->best[slot] = largest(left->best);
    parent->best[slot + 1] = largest(right->best);
    if (level > 0)
        right->key[0] = 0;
}

static bool is_full(const struct node *node) {
    return has_entry(node, HM_LANES - 1);
}

/* Split what is full on the path to `key`, from the top. */
__attribute__((noinline, cold)) static void make_room(struct hm_runs *runs, uint32_t key,
                                                      struct path *path) {
    while (is_full(path->node[0])) {
        unsigned level = 0;
        while (level < runs->height && is_full(path->node[level + 1]))
            level++;
        split(runs, path, level);
        descend(runs, key, path);
    }
}

/* Move all of the child behind `slot` into the one at `slot`, if there is room. An inner node's
 * first key is 0, so its bound in the parent takes its place. */
static bool merge(struct hm_runs *runs, struct node *parent, unsigned slot, bool leaves) {
    uint32_t id = parent->child[slot + 1];
    struct node *left = &runs->nodes[parent->child[slot]], *right = &runs->nodes[id];
    unsigned kept = count_entries(left), moved = count_entries(right);
    if (kept + moved > MERGED)
        return false;
    for (unsigned i = 0; i < moved; i++) {
        left->key[kept + i] = right->key[i];
        left->best[kept + i] = right->best[i];
        left->child[kept + i] = right->child[i];
    }
    if (!leaves)
        left->key[kept] = parent->key[slot + 1];
    if (parent->best[slot] < parent->best[slot + 1])
        parent->best[slot] = parent->best[slot + 1];
    erase_child(parent, slot + 1);
    drop_node(runs, id);
    return true;
}

/* Let a thin node of this level go. @return false: no neighbour can take it */
static bool dissolve(struct hm_runs *runs, struct path *path, unsigned level) {
    struct node *parent = path->node[level + 1];
    unsigned slot = path->slot[level + 1];
    if (!has_entry(path->node[level], 0)) {
        drop_node(runs, parent->child[slot]);
        erase_child(parent, slot);
        return true;
    }
    return (has_entry(parent, slot + 1) && merge(runs, parent, slot, level == 0)) ||
           (slot > 0 && merge(runs, parent, slot - 1, level == 0));
}

/* Restore the invariants of filling on a path whose leaf is thin; the path is void afterwards. */
__attribute__((noinline, cold)) static void fatten(struct hm_runs *runs, struct path *path) {
    for (unsigned level = 0; level < runs->height && !has_entry(path->node[level], THIN); level++) {
        if (!dissolve(runs, path, level))
            break;
    }
    while (runs->height > 0) {
        const struct node *root = &runs->nodes[runs->root];
        if (has_entry(root, 1))
            return;
        runs->height = has_entry(root, 0) ? runs->height - 1 : 0;
        if (has_entry(root, 0)) {
            uint32_t id = runs->root;
            runs->root = root->child[0];
            drop_node(runs, id);
        }
    }
}

/* ---- Runs ---- */

/* The caller sees to the maxima, before. */
static inline void erase_run(struct hm_runs *runs, struct path *path, unsigned slot) {
    struct node *leaf = path->node[0];
    erase_lane(leaf->key, slot, NO_KEY);
    erase_lane(leaf->best, slot, 0);
    if (__builtin_expect(!has_entry(leaf, THIN), 0))
        fatten(runs, path);
}

/* The run in slot[0] is gone. */
static inline void remove_run(struct hm_runs *runs, struct path *path) {
    uint32_t *best = &path->node[0]->best[path->slot[0]];
    uint32_t old = *best;
    *best = 0;
    lowered(runs, path, old);
    erase_run(runs, path, path->slot[0]);
}

/* In slot[0] of a path that `descend` found for its offset. */
static inline void insert_run(struct hm_runs *runs, struct path *path, uint32_t offset,
                              uint32_t length) {
    if (__builtin_expect(is_full(path->node[0]), 0))
        make_room(runs, offset, path);
    insert_lane(path->node[0]->key, path->slot[0], offset);
    insert_lane(path->node[0]->best, path->slot[0], length);
    raised(runs, path, length);
}

/* The last run of a leaf may reach past the next leaf's bound, and its new head may lie there. */
__attribute__((noinline, cold)) static void move_head(struct hm_runs *runs, struct path *path,
                                                      uint32_t length) {
    uint32_t offset = path->node[0]->key[path->slot[0]] + length;
    uint32_t rest = path->node[0]->best[path->slot[0]] - length;
    remove_run(runs, path);
    descend(runs, offset, path);
    insert_run(runs, path, offset, rest);
}

/* Cut off the first granules of the run in slot[0]. */
static inline void cut_head(struct hm_runs *runs, struct path *path, uint32_t length) {
    struct node *leaf = path->node[0];
    unsigned slot = path->slot[0];
    uint32_t old = leaf->best[slot];
    if (old == length) {
        remove_run(runs, path);
        return;
    }
    if (__builtin_expect(!has_entry(leaf, slot + 1), 0)) {
        move_head(runs, path, length);
        return;
    }
    add_to_lane(leaf->key, slot, length);
    add_to_lane(leaf->best, slot, -length);
    lowered(runs, path, old);
}

static uint32_t take(struct hm_runs *runs, uint32_t length) {
    struct path path;
    struct node *root = &runs->nodes[runs->root];
    unsigned slot = first_at_least(root->best, length);
    if (slot == HM_LANES)
        return HM_NO_RUN;
    path.node[runs->height] = root;
    path.slot[runs->height] = slot;
    descend_fitting(runs, runs->height, length, &path);
    uint32_t offset = path.node[0]->key[path.slot[0]];
    cut_head(runs, &path, length);
    return offset;
}

/* A stretch whose neighbours are not both in the leaf where it belongs, or whose leaf is full: what
 * it touches is removed, and the whole inserted as new. */
__attribute__((noinline)) static unsigned give_at_edge(struct hm_runs *runs, uint32_t offset,
                                                       uint32_t length) {
    struct path path;
    unsigned given = 0;
    uint32_t end = offset + length;
    if (descend_before(runs, offset, &path)) {
        uint32_t start = path.node[0]->key[path.slot[0]];
        uint32_t left = path.node[0]->best[path.slot[0]];
        if (start + left > offset)
            return HM_GIVEN_REFUSED;
        if (start + left == offset) {
            given |= HM_GIVEN_LEFT;
            offset = start;
            remove_run(runs, &path);
        }
    }
    if (descend_before(runs, end, &path) && path.node[0]->key[path.slot[0]] == end) {
        given |= HM_GIVEN_RIGHT;
        end += path.node[0]->best[path.slot[0]];
        remove_run(runs, &path);
    }
    descend(runs, offset, &path);
    insert_run(runs, &path, offset, end - offset);
    return given;
}

/* Which neighbours are free is a coin toss, so nothing branches on it. */
static unsigned give(struct hm_runs *runs, uint32_t offset, uint32_t length) {
    struct path path;
    descend(runs, offset, &path);
    struct node *leaf = path.node[0];
    unsigned slot = path.slot[0];
    if (__builtin_expect(slot == 0 || !has_entry(leaf, slot) || is_full(leaf), 0))
        return give_at_edge(runs, offset, length);
    uint32_t end = offset + length, left_end = leaf->key[slot - 1] + leaf->best[slot - 1];
    unsigned left = left_end == offset, right = leaf->key[slot] == end;
    int shift = 1 - (int)left - (int)right;
    if (__builtin_expect(left_end > offset, 0))
        return HM_GIVEN_REFUSED;
    offset -= leaf->best[slot - 1] & -left;
    end += leaf->best[slot] & -right;
    replace_lane(leaf->key, slot - left, shift, offset, NO_KEY);
    replace_lane(leaf->best, slot - left, shift, end - offset, 0);
    raised(runs, &path, end - offset);
    if (__builtin_expect(!has_entry(leaf, THIN), 0))
        fatten(runs, &path);
    return left * HM_GIVEN_LEFT + right * HM_GIVEN_RIGHT;
}

static struct hm_run run_at(const struct path *path) {
    const struct node *leaf = path->node[0];
    unsigned slot = path->slot[0];
    return (struct hm_run){leaf->key[slot], leaf->best[slot]};
}

/* To the next leaf that has a run of `length`. @return false: there is none */
static bool step_fitting(struct hm_runs *runs, uint32_t length, struct path *path) {
    for (unsigned level = 1; level <= runs->height; level++) {
        const struct node *node = path->node[level];
        unsigned slot = path->slot[level] + 1;
        while (has_entry(node, slot) && node->best[slot] < length)
            slot++;
        if (has_entry(node, slot)) {
            path->slot[level] = slot;
            descend_fitting(runs, level, length, path);
            return true;
        }
    }
    return false;
}

static bool find(struct hm_runs *runs, uint32_t from, uint32_t length, struct hm_run *out) {
    struct path path;
    if (!descend_before(runs, from, &path))
        path.slot[0] = 0;
    for (; has_entry(path.node[0], path.slot[0]); path.slot[0]++) {
        struct hm_run run = run_at(&path);
        if (run.length >= length && run.offset + run.length > from) {
            *out = run;
            return true;
        }
    }
    if (!step_fitting(runs, length, &path))
        return false;
    *out = run_at(&path);
    return true;
}

static void claim(struct hm_runs *runs, uint32_t offset, uint32_t length) {
    struct path path;
    descend_before(runs, offset, &path);
    struct hm_run run = run_at(&path);
    uint32_t head = offset - run.offset, tail = run.length - head - length;
    if (head == 0) {
        cut_head(runs, &path, length);
        return;
    }
    path.node[0]->best[path.slot[0]] = head;
    lowered(runs, &path, run.length);
    if (tail > 0) {
        descend(runs, offset + length, &path);
        insert_run(runs, &path, offset + length, tail);
    }
}

/* ---- Opening ---- */

static void clear(struct hm_runs *runs) {
    runs->height = 0;
    runs->used = 0;
    runs->spare = NO_KEY;
    runs->root = new_node(runs);
    runs->nodes[runs->root].key[0] = 0;
    runs->nodes[runs->root].best[0] = runs->granules;
}

static struct hm_runs *open_tree(uint32_t granules, enum hm_backing backing) {
    size_t bytes = sizeof(struct hm_runs) + ((size_t)granules / 8 + LEVELS) * sizeof(struct node);
    struct hm_runs *runs = hm_map_metadata(bytes, backing);
    if (!runs)
        return NULL;
    runs->granules = granules;
    runs->bytes = bytes;
    clear(runs);
    return runs;
}

static void close_tree(struct hm_runs *runs) {
    munmap(runs, runs->bytes);
}

static size_t metadata(struct hm_runs *runs, uint32_t granules) {
    (void)granules;
    return sizeof *runs + runs->used * sizeof(struct node);
}

const struct hm_runs_calls HM_TREE_CALLS = {
    open_tree, close_tree, clear, take, give, find, claim, metadata,
};
