/* An open collector with objects, and the mirror that says what must be true of them.
 *
 * Words
 *   node     an object that a check made, by its number. It is a root while its `variable` is set.
 *   mirror   the same graph in plain arrays. What is reachable in it is found by a naive mark, from the
 *            roots, and never asked of the collector.
 *   garbage  a node that was unreachable at some time; a finalizer may have brought it back since
 *   quiet    said of a collection that ran neither a finalizer nor a callback: nothing that it was to
 *            free could be brought back, or become garbage while it ran
 *
 * Every operation changes the mirror first and the objects then, since either may be looked at in
 * between by finalizers and callbacks, which are the world's own and check what they see. After each
 * one, no node that is reachable may have been freed. Whatever is wrong ends the process.
 *
 * One world at a time: finalizers are given nothing but the object. */
#ifndef HM_HARNESS_VERIFY_GC_WORLD_H
#define HM_HARNESS_VERIFY_GC_WORLD_H

#include "harness/verify_gc/check.h"
#include "harness/verify_gc/poison.h"

enum {
    HM_WORLD_NODES = 640,
    HM_WORLD_SLOTS = 4,
    HM_WORLD_HELD = 1024,
    HM_NOBODY = -1,
};

enum hm_node_kind {
    HM_NODE_LEAF,
    HM_NODE_PAIR,  /* two slots, by its type */
    HM_NODE_ARRAY, /* as many slots as it is made with */
    HM_NODE_TUPLE, /* immutable: its slots are set once */
    HM_NODE_PLAIN, /* an array that can not be the target of weak references */
    HM_NODE_LARGE, /* an array with a payload of many bytes */
    HM_NODE_OWN,   /* an array whose type says by itself what its references are */
    HM_NODE_WEAK,  /* a weak reference; its one slot is free to be used */
};

struct hm_world;
/** What a finalizer or callback does besides being checked. */
typedef void hm_node_action(struct hm_world *w, int node);

struct hm_node {
    struct hm_object *object;
    struct hm_object *variable; /* known to the collector as a root from open to close */
    enum hm_node_kind kind;
    uint32_t length;
    int slots[HM_WORLD_SLOTS];
    int target;             /* of a weak reference */
    bool calls_back;        /* it has a callback */
    bool finalizes;         /* it has a finalizer */
    hm_node_action *action; /* of either; NULL: none */
    int action_node;
    bool freed, reachable, was_garbage, immortal;
    unsigned finalized, called; /* how often */
    unsigned cleared;           /* how often its type's `clear` was called */
};

struct hm_world {
    struct hm_check *check;
    struct hm_poison heap;
    struct hm_gc_events events;
    struct hm_gc *gc;
    struct hm_mutator *m;
    struct hm_node nodes[HM_WORLD_NODES];
    int used;
    struct hm_object *held[HM_WORLD_HELD]; /* roots, for as long as an operation needs them */
    unsigned holding;
    unsigned roots;
    unsigned pausing;    /* pauses that began and did not end */
    unsigned depth;      /* finalizers and callbacks that run now */
    unsigned collecting; /* calls of collect that have not returned */
    uint64_t happened;   /* finalizers and callbacks, since the latest operation began */
    uint64_t freed;      /* nodes */
    uint64_t log;        /* a hash of all that happened, in its order */
    bool blind;          /* objects are no blocks of the heap: that they die can not be seen */
    bool no_callbacks;   /* the collector has none */
    bool frozen;         /* some garbage is out of sight of collections */
    bool failing;        /* memory may run out */
    bool closing;
};

/** Open a collector over a fresh heap. */
void hm_world_open(struct hm_world *w, struct hm_check *c);
/** Let go of everything, see that all of it dies, and that close gives all memory back. */
void hm_world_close(struct hm_world *w);
/** Only the last part: detach, close, and see that what is left in the heap is nodes. */
void hm_world_end(struct hm_world *w);

/** A new node, which is a root. @param length of arrays and tuples, up to HM_WORLD_SLOTS
 *  @param finalizes whether it has a finalizer  @return its number, or HM_NOBODY: out of memory */
int hm_world_new(struct hm_world *w, enum hm_node_kind kind, uint32_t length, bool finalizes);
/** A new weak reference, which is a root. @param target reachable, of a kind that allows it */
int hm_world_weak(struct hm_world *w, int target, bool calls_back);
/** Store into a slot of a reachable node. @param to reachable, or HM_NOBODY */
void hm_world_store(struct hm_world *w, int from, uint32_t slot, int to);
/** The first store into a slot of a new node; takes over the root `to`. */
void hm_world_init(struct hm_world *w, int from, uint32_t slot, int to);
/** The node is no root any more. */
void hm_world_drop(struct hm_world *w, int node);
/** A reachable node is a root for ever. @return false: the collector can not, or memory is out */
bool hm_world_immortalize(struct hm_world *w, int node);
/** A reachable node, or in its own finalizer a dead one, is a root again. */
void hm_world_revive(struct hm_world *w, int node);
/** @return the target's number, or HM_NOBODY; it is checked, and let go of again */
int hm_world_deref(struct hm_world *w, int reference);
/** Collect, and check. Generation 2 must leave no garbage if it was quiet. @return what it returned */
int64_t hm_world_collect(struct hm_world *w, int generation);
/** Full collections until one is quiet, or has been tried often. */
void hm_world_settle(struct hm_world *w);

/** What is reachable now, by a naive mark. */
void hm_world_mark(struct hm_world *w);
/** The reachable nodes are as they should be, and their counts. Not in finalizers. */
void hm_world_check(struct hm_world *w);
/** No node is unreachable and not freed. */
void hm_world_check_no_garbage(struct hm_world *w);

/** A ring of containers; its first node is a root, the others are not.
 *  @return the first, or HM_NOBODY: out of memory */
int hm_world_ring(struct hm_world *w, unsigned length);

#endif
