/* The tree of frames. Because the stacks come in order, a frame is either one of the path to the last
 * stack's end or new: nothing is searched. */
#include "harness/trace/flame_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 2048,
};

static int rank_of(char letter) {
    return letter == ';' ? 1 : letter ? 2 + (unsigned char)letter : 0;
}

int hm_flame_compare(const void *a, const void *b) {
    const char *x = ((const struct hm_flame_line *)a)->stack;
    const char *y = ((const struct hm_flame_line *)b)->stack;
    while (*x && *x == *y) {
        x++;
        y++;
    }
    return rank_of(*x) - rank_of(*y);
}

static uint32_t add_node(struct hm_flame_tree *tree, size_t *room, struct hm_flame_node node) {
    if (tree->count == *room) {
        size_t more = 2 * *room + 256;
        struct hm_flame_node *nodes = reallocarray(tree->nodes, more, sizeof *nodes);
        if (!nodes || more >= HM_FLAME_NONE)
            return HM_FLAME_NONE;
        tree->nodes = nodes;
        *room = more;
    }
    tree->nodes[tree->count] = node;
    return (uint32_t)tree->count++;
}

/* What the frame at a depth of the path is, if it is this one. */
static uint32_t find_child(const struct hm_flame_tree *tree, uint32_t parent, const char *name,
                           size_t length) {
    uint32_t last = tree->nodes[parent].child;
    if (last == HM_FLAME_NONE || tree->nodes[last].length != length ||
        memcmp(tree->nodes[last].name, name, length) != 0)
        return HM_FLAME_NONE;
    return last;
}

static int add_line(struct hm_flame_tree *tree, size_t *room, const struct hm_flame_line *line) {
    uint32_t at = 0;
    const char *name = line->stack;
    tree->nodes[0].weight += line->weight;
    for (uint32_t depth = 1; *name && depth < DEPTH_MAX; depth++) {
        size_t length = strcspn(name, ";");
        uint32_t child = find_child(tree, at, name, length);
        if (child == HM_FLAME_NONE) {
            child = add_node(tree, room,
                             (struct hm_flame_node){.name = name,
                                                    .length = length,
                                                    .depth = depth,
                                                    .child = HM_FLAME_NONE,
                                                    .sibling = tree->nodes[at].child});
            if (child == HM_FLAME_NONE)
                return ENOMEM;
            tree->nodes[at].child = child;
        }
        tree->nodes[child].weight += line->weight;
        at = child;
        name += length + (name[length] == ';');
    }
    tree->nodes[at].self += line->weight;
    return 0;
}

/* ---- Siblings by weight ---- */

static int heavier(const void *a, const void *b, void *arg) {
    const struct hm_flame_node *nodes = arg;
    const struct hm_flame_node *x = &nodes[*(const uint32_t *)a];
    const struct hm_flame_node *y = &nodes[*(const uint32_t *)b];
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

/* @param order room for all nodes */
static void sort_children(struct hm_flame_tree *tree, uint32_t node, uint32_t *order) {
    size_t count = 0;
    uint32_t *link = &tree->nodes[node].child;
    for (uint32_t child = *link; child != HM_FLAME_NONE; child = tree->nodes[child].sibling)
        order[count++] = child;
    qsort_r(order, count, sizeof *order, heavier, tree->nodes);
    for (size_t i = 0; i < count; i++) {
        *link = order[i];
        link = &tree->nodes[order[i]].sibling;
    }
    *link = HM_FLAME_NONE;
}

int hm_flame_tree_make(struct hm_flame_tree *out, const struct hm_flame_line *lines, size_t count) {
    struct hm_flame_tree tree = {0};
    size_t room = 0;
    const struct hm_flame_node root = {
        .name = "all", .length = 3, .child = HM_FLAME_NONE, .sibling = HM_FLAME_NONE};
    int bad = add_node(&tree, &room, root) == HM_FLAME_NONE ? ENOMEM : 0;
    for (size_t i = 0; !bad && i < count; i++)
        bad = add_line(&tree, &room, &lines[i]);
    uint32_t *order = bad ? NULL : reallocarray(NULL, tree.count, sizeof *order);
    if (!order) {
        free(tree.nodes);
        return ENOMEM;
    }
    for (uint32_t i = 0; i < tree.count; i++)
        sort_children(&tree, i, order);
    free(order);
    *out = tree;
    return 0;
}

void hm_flame_tree_free(struct hm_flame_tree *tree) {
    free(tree->nodes);
    *tree = (struct hm_flame_tree){0};
}
