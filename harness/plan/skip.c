/* What keeps a cell of a plan from running. */
#include "harness/plan/skip.h"

#include <stdio.h>

/* Several mutators: whether they may share this collector in the way that was asked for. */
static bool shares(const struct hm_collector *collector, enum hm_threading threading) {
    return threading == HM_ISOLATED ||
           (collector->caps & (threading == HM_GIL ? HM_GC_GIL : HM_GC_FREE));
}

/* Whether the workload needs something that the collector can not do. */
static bool lacks(const struct hm_cell *cell, unsigned cap) {
    const struct hm_workload_spec *workload = &cell->group->workload->spec;
    unsigned needs = workload->part->needs ? workload->part->needs(workload->params.values) : 0;
    return needs & ~cell->collector->spec.part->caps & cap;
}

/* What keeps a cell's collector from running there; says nothing if nothing does. */
static void say_collector_skip(const struct hm_plan *plan, struct hm_cell *cell) {
    const struct hm_collector *c = cell->collector->spec.part;
    const struct hm_arm *first = plan->cells[cell->group->first].arm;
    bool several = cell->group->threads > 1;
    if (cell->collector->missing[0])
        snprintf(cell->skip, sizeof cell->skip, "%s", cell->collector->missing);
    else if (several && !shares(c, plan->threading))
        snprintf(cell->skip, sizeof cell->skip, "%s does not support --threading %s", c->name,
                 hm_threading_name(plan->threading));
    else if (lacks(cell, HM_GC_ON_DEMAND))
        snprintf(cell->skip, sizeof cell->skip, "%s never collects, which is what is measured",
                 c->name);
    else if (lacks(cell, HM_GC_AT_ONCE))
        snprintf(cell->skip, sizeof cell->skip,
                 "%s frees nothing at once, which is what is measured", c->name);
    else if (several && plan->threading == HM_ISOLATED && (c->caps & HM_GC_ONE))
        snprintf(cell->skip, sizeof cell->skip,
                 "there can be one %s in a process, not one for each thread", c->name);
    else if ((c->caps & HM_GC_OWN_MEMORY) && cell->arm != first && !cell->arm->again)
        snprintf(cell->skip, sizeof cell->skip,
                 "%s takes its memory from the system itself: it runs under one allocator only",
                 c->name);
}

/* The cell's threads, and those that the workload starts itself. */
static unsigned threads_inside(const struct hm_group *group) {
    const struct hm_workload_spec *workload = &group->workload->spec;
    return group->threads +
           (workload->part->own_threads
                ? workload->part->own_threads(workload->params.values, group->threads)
                : 0);
}

/* Valgrind runs one thread at a time, for as long as it likes: how often threads meet, wait and spin is its
 * own, and counts of it say nothing. */
const char *hm_plan_why_not_counted(const struct hm_group *group) {
    const struct hm_workload *w = group->workload->spec.part;
    if (group->processes)
        return "instructions are not counted over several processes";
    if (threads_inside(group) > 1)
        return "instructions are counted on one thread only: valgrind runs one at a time";
    if (!hm_workload_has_heap(w))
        return "it has no heap, and instructions are counted where there is one";
    return NULL;
}

/* What keeps the only pass that was asked for from a cell. */
static void say_count_skip(const struct hm_plan *plan, struct hm_cell *cell) {
    const char *why = hm_plan_why_not_counted(cell->group);
    if (plan->no_instructions[0])
        snprintf(cell->skip, sizeof cell->skip, "%s", plan->no_instructions);
    else if (why)
        snprintf(cell->skip, sizeof cell->skip, "%s", why);
}

/* The part of a stack that can not do what the workload is about, or NULL. */
static const struct hm_allocator *unfit_part(const struct hm_allocator_spec *spec,
                                             const struct hm_workload *workload) {
    for (unsigned i = 0; i < spec->count; i++)
        if (spec->parts[i]->caps & workload->unfit)
            return spec->parts[i];
    return NULL;
}

void hm_plan_say_skip(const struct hm_plan *plan, struct hm_cell *cell) {
    const struct hm_group *g = cell->group;
    const struct hm_workload *w = g->workload->spec.part;
    const struct hm_arm *arm = cell->arm;
    if (g->program && g->program->missing[0])
        snprintf(cell->skip, sizeof cell->skip, "%s", g->program->missing);
    else if (arm->missing[0])
        snprintf(cell->skip, sizeof cell->skip, "%s", arm->missing);
    else if (g->processes && g->threads > 1)
        snprintf(cell->skip, sizeof cell->skip,
                 "%s works in processes, not threads: its parameters say in how many", w->name);
    else if (w->max_threads && g->threads > w->max_threads)
        snprintf(cell->skip, sizeof cell->skip, "%s runs on at most %u threads", w->name,
                 w->max_threads);
    else if (w->most_threads && g->threads > w->most_threads(g->workload->spec.params.values))
        snprintf(cell->skip, sizeof cell->skip, "%s has work for %u thread%s", w->name,
                 w->most_threads(g->workload->spec.params.values),
                 w->most_threads(g->workload->spec.params.values) == 1 ? "" : "s");
    else if (w->shared_heap && !hm_allocator_spec_shared(&arm->spec))
        snprintf(cell->skip, sizeof cell->skip,
                 "%s needs a heap in shared memory: first-fit:backing=shared", w->name);
    else if (!hm_plan_is_timed(plan) && !plan->programs)
        say_count_skip(plan, cell);
    else if (!plan->time_pass && !plan->space_pass && !plan->counters_pass && !plan->warmup_pass &&
             !hm_workload_has_heap(w))
        snprintf(cell->skip, sizeof cell->skip,
                 "%s: it has no heap, and so no calls whose latency could be measured", w->name);
    else if (!plan->time_pass && !plan->counters_pass && !plan->warmup_pass && w->shared_heap)
        snprintf(cell->skip, sizeof cell->skip,
                 "%s: the space of a heap of several processes is not measured", w->name);
    else if (!plan->time_pass && !plan->counters_pass && !plan->warmup_pass &&
             !hm_workload_has_heap(w))
        snprintf(cell->skip, sizeof cell->skip, "%s has no heap, and so no space to measure",
                 w->name);
    const struct hm_allocator *unfit = unfit_part(&arm->spec, w);
    if (!cell->skip[0] && unfit)
        snprintf(cell->skip, sizeof cell->skip, "%s can not do what %s is about", unfit->name,
                 w->name);
    const struct hm_allocator *alone = hm_allocator_spec_alone(&arm->spec);
    if (!cell->skip[0] && cell->collector)
        say_collector_skip(plan, cell);
    if (threads_inside(g) > 1 && !cell->skip[0] && alone)
        snprintf(cell->skip, sizeof cell->skip, "%s works on one thread only%s", alone->name,
                 hm_allocator_alone_why(alone));
}
