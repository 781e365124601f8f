/* What a play on a collector knows: the names of a script, and the objects that they stand for. Shared
 * by the files that play the verbs (objects.c, control.c) and by the one that keeps the names.
 *
 * Invariants
 *   A named thing has an object from its making until its memory comes back through the watched heap.
 *   Its `variable` is a root of the collector from its first object to the end of the play, NULL while
 *   the name is no root: so names can be dropped in any order.
 *   `held` are roots, too, all NULL between two lines: what a line works on stays alive until its end,
 *   whatever its finalizers do.
 *   Nothing is read from an object: collectors may lay theirs out as they like. */
#ifndef HM_HARNESS_SIM_NAMES_H
#define HM_HARNESS_SIM_NAMES_H

#include "harness/sim/objects.h"
#include "harness/sim/watch.h"

enum hm_sim_action {
    HM_SIM_ACTION_NONE,
    HM_SIM_ACTION_RESURRECT,
    HM_SIM_ACTION_COLLECT,
    HM_SIM_ACTION_DROP,
};

enum {
    HM_SIM_HELD = 2
};

struct hm_sim_named {
    char id[HM_SIM_ID_BYTES];
    bool rooted; /* the collector knows `variable` */
    bool weak;   /* the object is a weak reference */
    struct hm_object *object;
    struct hm_object *variable;
    uint64_t slots;
    enum hm_sim_action action; /* of its finalizer */
    struct hm_sim_named *target;
};

struct hm_sim_play {
    const struct hm_sim_mutator *ops;
    const struct hm_collector *collector;
    struct hm_gc *gc;
    struct hm_mutator *m;
    struct hm_watch watch;
    void *names;
    struct hm_object *held[HM_SIM_HELD];
    unsigned roots;  /* variables that the collector knows */
    unsigned nested; /* finalizers that run now */
    bool too_deep;
    bool closing;
    FILE *out;
};

/** A name that is free to be given: no object, and known to the collector as a root. The others: a
 *  name that has an object; its slot; a number below a limit.
 *  @return 0, or EINVAL or ENOMEM with one line and the output untouched */
int hm_sim_new_name(struct hm_sim_play *sim, const char *id, struct hm_sim_named **out,
                    struct hm_error *error);
int hm_sim_find_live(struct hm_sim_play *sim, const char *id, struct hm_sim_named **out,
                     struct hm_error *error);
int hm_sim_find_slot(struct hm_sim_play *sim, const struct hm_sim_line *line,
                     struct hm_sim_named **out, uint32_t *slot, struct hm_error *error);
int hm_sim_parse_below(const char *word, uint64_t limit, const char *what, uint64_t *out,
                       struct hm_error *error);

/** An object that was just made is the name's, and the name a root. NULL: there was no memory. */
void hm_sim_name_object(struct hm_sim_play *sim, struct hm_sim_named *named,
                        struct hm_object *object);

/** Keep an object alive until the line is done. */
void hm_sim_hold(struct hm_sim_play *sim, unsigned which, struct hm_object *object);
/** Let go of all that is held, the last one first. */
void hm_sim_let_go(struct hm_sim_play *sim);

/** The line's row; it has an empty ID where the verb has none. @return 0 */
int hm_sim_answer(struct hm_sim_play *sim, const struct hm_sim_line *line, const char *id,
                  const char *value);
/** @return EINVAL with one line */
int hm_sim_not_offered(struct hm_sim_play *sim, const struct hm_sim_line *line,
                       struct hm_error *error);

#endif
