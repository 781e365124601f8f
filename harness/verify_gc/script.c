/* Random scripts for collectors. */
#include "harness/verify_gc/script.h"

#include "workloads/scratch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Making one ---- */

struct maker {
    struct hm_random random;
    int16_t roots[HM_GC_IDS_MAX]; /* that nobody has dropped */
    unsigned root_count;
    bool immortals; /* they hold a lot: only some scripts have any */
    int16_t used;
};

static unsigned below(struct maker *m, unsigned n) {
    return (unsigned)hm_random_below(&m->random, n);
}

/* Mostly a root, sometimes any: what was dropped may still be reachable. */
static int16_t pick(struct maker *m) {
    if (m->root_count && below(m, 10) < 8)
        return m->roots[below(m, m->root_count)];
    return (int16_t)below(m, (unsigned)m->used);
}

static void add_root(struct maker *m) {
    m->roots[m->root_count++] = m->used++;
}

static struct hm_gc_op make_new(struct maker *m) {
    struct hm_gc_op op = {.verb = HM_GC_NEW,
                          .kind = (uint8_t)below(m, HM_NODE_WEAK),
                          .slot = (uint8_t)(1 + below(m, HM_WORLD_SLOTS)),
                          .id = m->used,
                          .to = HM_NOBODY};
    if (below(m, 4) == 0)
        op.act = (uint8_t)(HM_GC_FINALIZER + below(m, 4));
    if ((op.act == HM_GC_DROPS || op.kind == HM_NODE_TUPLE) && m->used)
        op.to = pick(m);
    add_root(m);
    return op;
}

static struct hm_gc_op make_drop(struct maker *m) {
    unsigned at = below(m, m->root_count);
    struct hm_gc_op op = {.verb = HM_GC_DROP, .id = m->roots[at]};
    m->roots[at] = m->roots[--m->root_count];
    return op;
}

static struct hm_gc_op make_pair(struct maker *m, enum hm_gc_verb verb) {
    return (struct hm_gc_op){.verb = (uint8_t)verb,
                             .slot = (uint8_t)below(m, HM_WORLD_SLOTS),
                             .id = pick(m),
                             .to = pick(m)};
}

static struct hm_gc_op make_weak(struct maker *m) {
    struct hm_gc_op op = {
        .verb = HM_GC_WEAK, .slot = (uint8_t)below(m, 2), .id = m->used, .to = pick(m)};
    add_root(m);
    return op;
}

static struct hm_gc_op make_collect(struct maker *m) {
    static const uint8_t verbs[] = {HM_GC_THRESHOLD, HM_GC_ENABLE, HM_GC_DISABLE, HM_GC_FREEZE,
                                    HM_GC_UNFREEZE};
    if (m->immortals && below(m, 60) == 0)
        return (struct hm_gc_op){.verb = HM_GC_IMMORTAL, .id = pick(m)};
    struct hm_gc_op op = {.verb = HM_GC_COLLECT, .slot = (uint8_t)below(m, 3)};
    unsigned dice = below(m, 40);
    if (dice < 10)
        op.slot = 2;
    else if (dice < 10 + sizeof verbs)
        op.verb = verbs[dice - 10];
    if (op.verb == HM_GC_THRESHOLD)
        op.slot = (uint8_t)below(m, 40);
    return op;
}

static struct hm_gc_op make_op(struct maker *m) {
    unsigned dice = below(m, 100);
    bool room = m->used < HM_GC_IDS_MAX;
    if (!m->used || (dice < 24 && room))
        return make_new(m);
    if (dice < 44 && m->root_count)
        return make_drop(m);
    if (dice < 76)
        return make_pair(m, HM_GC_REF);
    if (dice < 82)
        return make_pair(m, HM_GC_CLEAR);
    if (dice < 88 && room)
        return make_weak(m);
    if (dice < 92)
        return (struct hm_gc_op){.verb = HM_GC_DEREF, .id = pick(m)};
    return make_collect(m);
}

size_t hm_gc_script_make(uint64_t seed, uint64_t number, struct hm_gc_op *ops) {
    static struct maker m;
    m = (struct maker){.random = {hm_mix(seed * 0x9e3779b97f4a7c15u + number)}};
    m.immortals = below(&m, 5) == 0;
    size_t count = 40 + below(&m, below(&m, 8) ? 400 : HM_GC_OPS_MAX - 40);
    for (size_t i = 0; i < count; i++)
        ops[i] = make_op(&m);
    return count;
}

/* ---- Playing one ---- */

struct player {
    struct hm_world *w;
    int nodes[HM_GC_IDS_MAX]; /* by the script's numbers */
    FILE *out;
};

__attribute__((format(printf, 2, 3))) static void print(struct player *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (p->out)
        vfprintf(p->out, format, args);
    va_end(args);
}

static bool is_reachable(const struct player *p, int id) {
    return p->nodes[id] != HM_NOBODY && p->w->nodes[p->nodes[id]].reachable;
}

static void act_revive(struct hm_world *w, int n) {
    hm_world_revive(w, n);
}

static void act_collect(struct hm_world *w, int n) {
    (void)n;
    hm_world_collect(w, 2);
}

static void act_drop(struct hm_world *w, int n) {
    int other = w->nodes[n].action_node;
    if (w->nodes[other].variable)
        hm_world_drop(w, other);
}

static void print_finalizer(struct player *p, const struct hm_gc_op *op) {
    static const char *const words[] = {[HM_GC_FINALIZER] = "",
                                        [HM_GC_RESURRECT] = " resurrect",
                                        [HM_GC_COLLECTS] = " collect",
                                        [HM_GC_DROPS] = " drop"};
    print(p, "finalizer %d%s", p->nodes[op->id], words[op->act]);
    if (op->act == HM_GC_DROPS)
        print(p, " %d", p->nodes[op->to]);
    print(p, "\n");
}

static void play_new(struct player *p, const struct hm_gc_op *op) {
    static hm_node_action *const actions[] = {
        [HM_GC_RESURRECT] = act_revive, [HM_GC_COLLECTS] = act_collect, [HM_GC_DROPS] = act_drop};
    struct hm_world *w = p->w;
    bool holds = op->kind == HM_NODE_TUPLE && op->to != HM_NOBODY && is_reachable(p, op->to);
    if (op->act == HM_GC_DROPS && (op->to == HM_NOBODY || !is_reachable(p, op->to)))
        return;
    int held = holds ? p->nodes[op->to] : HM_NOBODY;
    holds = holds && !w->nodes[held].variable; /* else a root of the script's would be taken over */
    print(p, "new %d %d\n", w->used,
          op->kind == HM_NODE_LEAF   ? 0
          : op->kind == HM_NODE_PAIR ? 2
                                     : op->slot);
    int n = hm_world_new(w, (enum hm_node_kind)op->kind, op->slot, op->act != HM_GC_NO_FINALIZER);
    p->nodes[op->id] = n;
    if (op->act) {
        w->nodes[n].action = actions[op->act];
        w->nodes[n].action_node = op->act == HM_GC_DROPS ? p->nodes[op->to] : HM_NOBODY;
        print_finalizer(p, op);
    }
    if (!holds || w->nodes[held].freed)
        return;
    hm_world_mark(w);
    if (!w->nodes[held].reachable)
        return;
    print(p, "ref %d 0 %d\n", n, held);
    hm_world_store(w, n, 0, held);
}

static void play_drop(struct player *p, const struct hm_gc_op *op) {
    if (p->nodes[op->id] == HM_NOBODY || !p->w->nodes[p->nodes[op->id]].variable)
        return;
    print(p, "drop %d\n", p->nodes[op->id]);
    hm_world_drop(p->w, p->nodes[op->id]);
}

static void play_store(struct player *p, const struct hm_gc_op *op) {
    bool clears = op->verb == HM_GC_CLEAR;
    if (!is_reachable(p, op->id) || (!clears && !is_reachable(p, op->to)))
        return;
    const struct hm_node *node = &p->w->nodes[p->nodes[op->id]];
    if (op->slot >= node->length || node->kind == HM_NODE_TUPLE)
        return;
    if (clears)
        print(p, "clear %d %d\n", p->nodes[op->id], op->slot);
    else
        print(p, "ref %d %d %d\n", p->nodes[op->id], op->slot, p->nodes[op->to]);
    hm_world_store(p->w, p->nodes[op->id], op->slot, clears ? HM_NOBODY : p->nodes[op->to]);
}

static void play_weak(struct player *p, const struct hm_gc_op *op) {
    if (!is_reachable(p, op->to))
        return;
    enum hm_node_kind kind = p->w->nodes[p->nodes[op->to]].kind;
    if (kind == HM_NODE_WEAK || kind == HM_NODE_PLAIN)
        return;
    print(p, "weak %d %d\n", p->w->used, p->nodes[op->to]);
    p->nodes[op->id] = hm_world_weak(p->w, p->nodes[op->to], op->slot);
}

static void play_deref(struct player *p, const struct hm_gc_op *op) {
    if (!is_reachable(p, op->id) || p->w->nodes[p->nodes[op->id]].kind != HM_NODE_WEAK)
        return;
    print(p, "deref %d\n", p->nodes[op->id]);
    hm_world_deref(p->w, p->nodes[op->id]);
}

static void play_control(struct player *p, const struct hm_gc_op *op) {
    struct hm_world *w = p->w;
    const struct hm_gc_control *control = hm_check_control(w->check);
    const int64_t thresholds[3] = {op->slot, 2, 2};
    if (op->verb == HM_GC_THRESHOLD && control->set_threshold) {
        print(p, "threshold %d 2 2\n", op->slot);
        control->set_threshold(w->gc, thresholds);
    } else if (op->verb == HM_GC_ENABLE && control->enable) {
        print(p, "enable\n");
        control->enable(w->gc, true);
    } else if (op->verb == HM_GC_DISABLE && control->enable) {
        print(p, "disable\n");
        control->enable(w->gc, false);
    } else if (op->verb == HM_GC_FREEZE && control->freeze && control->unfreeze) {
        print(p, "freeze\n");
        control->freeze(w->gc);
        w->frozen = true;
    } else if (op->verb == HM_GC_UNFREEZE && control->freeze && control->unfreeze) {
        print(p, "unfreeze\n");
        control->unfreeze(w->gc);
        w->frozen = false;
    }
}

static void play_op(struct player *p, const struct hm_gc_op *op) {
    switch (op->verb) {
    case HM_GC_NEW:
        play_new(p, op);
        break;
    case HM_GC_DROP:
        play_drop(p, op);
        break;
    case HM_GC_REF:
    case HM_GC_CLEAR:
        play_store(p, op);
        break;
    case HM_GC_WEAK:
        play_weak(p, op);
        break;
    case HM_GC_DEREF:
        play_deref(p, op);
        break;
    case HM_GC_IMMORTAL: /* no word for it: a root that is not dropped is nearest */
        if (is_reachable(p, op->id))
            hm_world_immortalize(p->w, p->nodes[op->id]);
        break;
    case HM_GC_COLLECT:
        print(p, "collect %d\n", op->slot);
        hm_world_collect(p->w, op->slot);
        break;
    default:
        play_control(p, op);
    }
}

void hm_gc_script_play(struct hm_world *w, const struct hm_gc_op *ops, size_t count, FILE *out) {
    static struct player p;
    p.w = w;
    p.out = out;
    for (int i = 0; i < HM_GC_IDS_MAX; i++)
        p.nodes[i] = HM_NOBODY;
    for (size_t i = 0; i < count; i++) {
        hm_world_mark(w);
        play_op(&p, &ops[i]);
        if (i % 64 == 0)
            hm_world_check(w);
        if (out)
            fflush(out);
    }
    if (w->frozen && hm_check_control(w->check)->unfreeze) {
        hm_check_control(w->check)->unfreeze(w->gc);
        w->frozen = false;
    }
}
