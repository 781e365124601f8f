/* Stacks as a tree of frames, each as wide as all that was asked for below it. */
#ifndef HM_HARNESS_TRACE_FLAME_TREE_H
#define HM_HARNESS_TRACE_FLAME_TREE_H

#include <stddef.h>
#include <stdint.h>

/** A stack, `main;f;g`: outermost first, and what it weighs. */
struct hm_flame_line {
    const char *stack;
    uint64_t weight;
};

#define HM_FLAME_NONE UINT32_MAX

struct hm_flame_node {
    const char *name; /* into a line's stack; it does not end there */
    size_t length;
    uint64_t weight;         /* with all that is called from here */
    uint64_t self;           /* without it */
    uint32_t depth;          /* of the root: 0 */
    uint32_t child, sibling; /* the heaviest child, and the next one by weight */
};

/** Node 0 is the root, `all`. */
struct hm_flame_tree {
    struct hm_flame_node *nodes;
    size_t count;
};

/** Frame by frame, so that stacks with a common beginning follow each other: for qsort. */
int hm_flame_compare(const void *a, const void *b);

/** @param lines in that order, whose texts must stay  @return 0 or ENOMEM */
int hm_flame_tree_make(struct hm_flame_tree *out, const struct hm_flame_line *lines, size_t count);
void hm_flame_tree_free(struct hm_flame_tree *tree);

#endif
