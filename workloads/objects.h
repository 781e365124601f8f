/* What object workloads share: handing references over, binary trees, and the switch for free lists.
 *
 * Vocabulary
 *   tree    a perfect binary tree of objects whose slots 0 and 1 are the children; NULL in a leaf.
 *   depth   edges from the root to a leaf; a single node has depth 0. */
#ifndef HM_WORKLOADS_OBJECTS_H
#define HM_WORKLOADS_OBJECTS_H

#include "collectors/collector.h"
#include "workloads/workload.h"

/** The parameter `freelist`, off or on. A workload that has it has each type twice: plain, and with
 *  HM_FREELIST(number of its list). As many are kept as CPython 3.11 keeps of the tuples of a length. */
#define HM_FREELIST_PARAM                                                                          \
    {                                                                                              \
        .name = "freelist", .unit = "",                                                            \
        .help = "whether the collector may keep dead objects of a type for the next ones",         \
        .kind = HM_PARAM_CHOICE, .initial = 0, .choices = "off|on"                                 \
    }
#define HM_FREELIST(number) .free_list = (number), .kept = 2000

/** Give up the reference in a variable, which may be rooted. NULL is allowed. */
static inline void hm_drop(struct hm_mutator *m, struct hm_object **variable) {
    struct hm_object *object = *variable;
    *variable = NULL;
    hm_release(m, object);
}

/** Store a new object into one that is not new any more; takes the caller's reference to `value`.
 */
static inline void hm_adopt(struct hm_mutator *m, struct hm_object *object, uint32_t slot,
                            struct hm_object *value) {
    hm_store(m, object, slot, value);
    hm_release(m, value);
}

/** The nodes of a tree that nobody will look at again. NULL is allowed. */
static inline void hm_tree_dispose(struct hm_mutator *m, struct hm_object *node) {
    if (!HM_DISPOSES || !node)
        return;
    struct hm_object *left = hm_load(node, 0);
    struct hm_object *right = hm_load(node, 1);
    hm_dispose(m, node);
    hm_tree_dispose(m, left);
    hm_tree_dispose(m, right);
}

/** Give up the last reference to a tree, in a variable that may be rooted. NULL is allowed. */
static inline void hm_tree_drop(struct hm_mutator *m, struct hm_object **variable) {
    hm_tree_dispose(m, *variable);
    hm_drop(m, variable);
}

/** Dispose of an array with all that its slots hold, and give up the reference to it. NULL is allowed. */
static inline void hm_drop_array(struct hm_mutator *m, struct hm_object **variable) {
    for (uint32_t i = 0; HM_DISPOSES && *variable && i < hm_length(*variable); i++)
        if (hm_load(*variable, i))
            hm_dispose(m, hm_load(*variable, i));
    if (HM_DISPOSES && *variable)
        hm_dispose(m, *variable);
    hm_drop(m, variable);
}

static inline uint64_t hm_tree_nodes(unsigned depth) {
    return ((uint64_t)2 << depth) - 1;
}

/** Nodes that can be reached from a root that is not NULL. */
static inline uint64_t hm_tree_count(struct hm_object *node) {
    struct hm_object *left = hm_load(node, 0);
    struct hm_object *right = hm_load(node, 1);
    return 1 + (left ? hm_tree_count(left) : 0) + (right ? hm_tree_count(right) : 0);
}

/** Make a tree from the leaves up: a node is allocated after its children.
 *  @return the root, owned by the caller; NULL: out of memory, and nothing is held */
static inline struct hm_object *hm_tree_grow(struct hm_mutator *m, const struct hm_type *type,
                                             unsigned depth) {
    hm_safepoint(m);
    if (depth == 0)
        return hm_new(m, type);
    struct hm_object *left = NULL;
    struct hm_object *right = NULL;
    struct hm_object *node = NULL;
    hm_root(m, &left);
    hm_root(m, &right);
    left = hm_tree_grow(m, type, depth - 1);
    if (left)
        right = hm_tree_grow(m, type, depth - 1);
    if (right)
        node = hm_new(m, type);
    if (node) {
        hm_init_store(m, node, 0, left);
        hm_init_store(m, node, 1, right);
    } else {
        hm_tree_drop(m, &right);
        hm_tree_drop(m, &left);
    }
    hm_unroot(m, 2);
    return node;
}

#endif
