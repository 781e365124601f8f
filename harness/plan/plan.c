/* The plan of a run: from a request to cells. */
#include "harness/plan/plan.h"

#include "harness/cell/instructions.h"
#include "harness/machine/executable.h"
#include "harness/plan/build.h"
#include "harness/plan/skip.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The modes of a run: how many rounds, and how long one process measures the baseline. */
static const struct mode {
    const char *name;
    unsigned rounds;
    unsigned looks; /* of a run that stops by itself */
    double target_s;
} modes[] = {{"quick", 6, 4, 0.015}, {"default", 12, 6, 0.030}, {"rigorous", 30, 8, 0.060}};

/* As long as people wait, with something else to do. */
static const double default_budget_s = 600;

/* A process's time beside the measured one, for the estimate: starting, set-up and end. */
static const double warmup_s = 0.060;
static const double overhead_s = 0.030;
/* Valgrind reads itself and all libraries first. */
static const double valgrind_s = 0.5;

/* Space hardly varies between processes: the fewest rounds that have an interval are enough. */
static const unsigned space_rounds = 6;
/* Counts do not vary: the second round is there to show it. */
static const unsigned counted_rounds = 2;

/* That the baseline works in each turn. */
static const double default_turn_ms = 2;

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

int hm_build_cell(struct hm_builder *b, struct hm_group *group, struct hm_arm *arm,
                  struct hm_collector_arm *collector, size_t baseline) {
    struct hm_plan *plan = b->plan;
    struct hm_cell *grown = realloc(plan->cells, (plan->cell_count + 1) * sizeof *grown);
    if (!grown)
        return hm_build_out_of_memory(b);
    plan->cells = grown;
    struct hm_cell *cell = &grown[plan->cell_count];
    *cell = (struct hm_cell){.group = group,
                             .arm = arm,
                             .collector = collector,
                             .baseline = baseline,
                             .ns_per_unit = NAN,
                             .peak_bytes = NAN};
    char threads[16] = "-"; /* a program's are its own */
    if (!group->program)
        snprintf(threads, sizeof threads, "t%u", group->threads);
    snprintf(cell->id, sizeof cell->id, "%s/%s/%s/%s/%s", group->workload->label, arm->label,
             collector ? collector->label : "-", threads, hm_pin_name(plan->pin));
    hm_plan_say_skip(plan, cell);
    plan->cell_count++;
    group->count++;
    return 0;
}

static bool has_arm(const struct hm_lists *l, const char *label) {
    for (size_t i = 0; i < l->arm_count; i++)
        if (strcmp(l->arms[i]->label, label) == 0)
            return true;
    return false;
}

/* The controls of a group: the A/A arm, and one floor row for each shape, unless they are not wanted. */
static int add_controls(struct hm_builder *b, struct hm_group *group, const struct hm_lists *l,
                        struct hm_collector_arm *collector) {
    static const char *const floors[] = {"floor", "floor:shape=heap"};
    struct hm_arm *arm;
    int bad = hm_build_again(b, l->arms[0], &arm);
    if (!bad)
        bad = hm_build_cell(b, group, arm, collector, group->first);
    for (size_t i = 0; !bad && i < sizeof floors / sizeof *floors; i++) {
        if (b->request->no_floor || has_arm(l, floors[i]))
            continue;
        bad = hm_build_arm(b, floors[i], &arm);
        if (!bad)
            bad = hm_build_cell(b, group, arm, collector, group->first);
    }
    return bad;
}

static int add_heap_cells(struct hm_builder *b, struct hm_group *group, const struct hm_lists *l) {
    int bad = 0;
    for (size_t a = 0; !bad && a < l->arm_count; a++)
        bad = hm_build_cell(b, group, l->arms[a], NULL, group->first);
    return bad ? bad : add_controls(b, group, l, NULL);
}

/* Allocators are compared under the same collector; collectors on the baseline allocator. */
static int add_object_cells(struct hm_builder *b, struct hm_group *group,
                            const struct hm_lists *l) {
    int bad = 0;
    for (size_t c = 0; !bad && c < l->collector_count; c++) {
        size_t of_collector = b->plan->cell_count;
        for (size_t a = 0; !bad && a < l->arm_count; a++)
            bad = hm_build_cell(b, group, l->arms[a], l->collectors[c],
                                a ? of_collector : group->first);
    }
    return bad ? bad : add_controls(b, group, l, l->collectors[0]);
}

/* Allocators whose heap processes can share come first: the baseline is one of them, if there is any. */
static int add_shared_heap_cells(struct hm_builder *b, struct hm_group *group,
                                 const struct hm_lists *l) {
    struct hm_arm *again;
    struct hm_arm *baseline = NULL;
    int bad = 0;
    for (int shared = 1; shared >= 0; shared--)
        for (size_t a = 0; !bad && a < l->arm_count; a++) {
            if (hm_allocator_spec_shared(&l->arms[a]->spec) != (bool)shared)
                continue;
            if (shared && !baseline)
                baseline = l->arms[a];
            bad = hm_build_cell(b, group, l->arms[a], NULL, group->first);
        }
    if (bad || !baseline)
        return bad;
    bad = hm_build_again(b, baseline, &again);
    return bad ? bad : hm_build_cell(b, group, again, NULL, group->first);
}

/* Neither allocators nor collectors: one cell, and its A/A arm. */
static int add_cells_without_heap(struct hm_builder *b, struct hm_group *group) {
    struct hm_arm *arm;
    struct hm_arm *again;
    int bad = hm_build_no_heap(b, &arm);
    if (!bad)
        bad = hm_build_cell(b, group, arm, NULL, group->first);
    if (!bad)
        bad = hm_build_again(b, arm, &again);
    return bad ? bad : hm_build_cell(b, group, again, NULL, group->first);
}

static int add_cells(struct hm_builder *b, struct hm_group *group, const struct hm_lists *l) {
    const struct hm_workload *part = group->workload->spec.part;
    if (!hm_workload_uses_allocator(part))
        return add_cells_without_heap(b, group);
    if (part->shared_heap)
        return add_shared_heap_cells(b, group, l);
    return part->kind == HM_WORKLOAD_OBJECT ? add_object_cells(b, group, l)
                                            : add_heap_cells(b, group, l);
}

/* Where the group's threads run, and the processes that its workload starts. */
int hm_build_place(struct hm_builder *b, struct hm_group *group) {
    const struct hm_workload_spec *w = &group->workload->spec;
    const enum hm_pin pin = b->plan->pin;
    group->processes = w->part->processes ? w->part->processes(w->params.values) : 0;
    group->cpus = calloc(group->threads, sizeof *group->cpus);
    group->process_cpus = calloc(group->processes + 1, sizeof *group->process_cpus);
    if (!group->cpus || !group->process_cpus)
        return hm_build_out_of_memory(b);
    int bad =
        hm_topology_place(b->topology, pin, group->threads, group->cpus, &group->oversubscribed);
    if (!bad && group->processes)
        bad = hm_topology_place(b->topology, pin, group->processes, group->process_cpus,
                                &group->oversubscribed);
    return bad ? hm_fail(b->error, bad, "can not place %u threads and %u processes: %s",
                         group->threads, group->processes, strerror(bad))
               : 0;
}

static int add_group(struct hm_builder *b, const struct hm_lists *l,
                     struct hm_workload_arm *workload, unsigned threads) {
    struct hm_plan *plan = b->plan;
    for (size_t i = 0; i < plan->group_count; i++)
        if (plan->groups[i]->workload == workload && plan->groups[i]->threads == threads)
            return hm_fail(b->error, EINVAL, "workload '%s' at %u threads stands in two matrices",
                           workload->label, threads);
    struct hm_group *group = hm_build_append(&plan->groups, &plan->group_count, sizeof *group);
    if (!group)
        return hm_build_out_of_memory(b);
    group->workload = workload;
    group->threads = threads;
    group->first = plan->cell_count;
    int bad = hm_build_place(b, group);
    return bad ? bad : add_cells(b, group, l);
}

/* What a matrix is about that names no workloads. */
static const char *default_workloads(const struct hm_builder *b) {
    for (size_t i = 0; i < b->plan->sweep_count; i++)
        if (strcmp(b->plan->sweeps[i]->kind, "collector") == 0)
            return "trees";
    return "churn";
}

static int add_lists(struct hm_builder *b, const struct hm_matrix *m) {
    struct hm_lists *l = calloc(1, sizeof *l);
    if (!l)
        return hm_build_out_of_memory(b);
    int bad = hm_build_list(b, l, HM_LIST_ALLOCATORS, m->allocators, "system");
    if (!bad)
        bad = hm_build_list(b, l, HM_LIST_COLLECTORS, m->collectors, "none,refcount,generational");
    if (!bad && !b->request->programs)
        bad = hm_build_list(b, l, HM_LIST_WORKLOADS, m->workloads, default_workloads(b));
    if (!bad)
        bad = hm_build_list(b, l, HM_LIST_THREADS, m->threads, "1");
    if (!bad)
        bad = hm_build_baseline(b, l);
    if (!bad && b->request->programs)
        bad = hm_build_programs(b, l);
    for (size_t w = 0; !bad && w < l->workload_count; w++)
        for (size_t t = 0; !bad && t < l->thread_count; t++)
            bad = add_group(b, l, l->workloads[w], l->threads[t]);
    free(l);
    return bad;
}

static int add_matrix(struct hm_builder *b, const struct hm_matrix *m) {
    struct hm_matrix swept = {.name = NULL};
    int bad = hm_build_sweeps(b, m, &swept);
    if (!bad)
        bad = add_lists(b, &swept);
    hm_matrix_free(&swept);
    return bad;
}

/* @return whether it is one; `idle` is space, too */
static bool set_metric(struct hm_plan *plan, const char *item) {
    bool idle = strcmp(item, "idle") == 0;
    bool *pass = strcmp(item, "time") == 0            ? &plan->time_pass
                 : strcmp(item, "space") == 0 || idle ? &plan->space_pass
                 : strcmp(item, "latency") == 0       ? &plan->latency_pass
                 : strcmp(item, "instructions") == 0  ? &plan->instructions_pass
                 : strcmp(item, "counters") == 0      ? &plan->counters_pass
                 : strcmp(item, "warmup") == 0        ? &plan->warmup_pass
                                                      : NULL;
    if (!pass)
        return false;
    *pass = true;
    if (idle)
        plan->idle_s = strcmp(plan->mode, "rigorous") == 0 ? 10 : 1;
    return true;
}

static int set_metrics(struct hm_builder *b, const char *text) {
    char *copy = strdup(text ? text : "time,space");
    int bad = copy ? 0 : hm_build_out_of_memory(b);
    for (char *rest = copy, *item; !bad && (item = strsep(&rest, ","));)
        if (!set_metric(b->plan, item))
            bad = hm_fail(b->error, EINVAL,
                          "metrics=%s: '%s' is none of time, space, idle, latency, instructions, "
                          "counters, warmup",
                          text, item);
    free(copy);
    return bad;
}

static void find_valgrind(struct hm_plan *plan) {
    if (!hm_instructions_known())
        snprintf(plan->no_instructions, sizeof plan->no_instructions,
                 "built without valgrind's header (Debian package valgrind)");
    else if (plan->instructions_pass && hm_executable_find("valgrind", plan->valgrind))
        snprintf(plan->no_instructions, sizeof plan->no_instructions,
                 "valgrind is not in PATH (Debian package valgrind)");
}

static int set_margin(struct hm_builder *b, const char *text) {
    char *end = NULL;
    double percent = text ? strtod(text, &end) : 2;
    if (text &&
        (end == text || (strcmp(end, "%") != 0 && *end) || !(percent >= 0.1) || !(percent <= 100)))
        return hm_fail(b->error, EINVAL, "margin=%s: must be percent from 0.1%% to 100%%", text);
    b->plan->margin = percent / 100;
    return 0;
}

/* Only what is timed by itself takes turns, and programs can not be told to wait. Unasked, those take them
 * whose error they lower. */
static void set_turns(struct hm_plan *plan, double asked_ms) {
    plan->turn_ms = asked_ms > 0 ? asked_ms : asked_ms < 0 ? 0 : default_turn_ms;
    plan->all_turns = asked_ms > 0;
    if (plan->programs || !plan->time_pass)
        plan->turn_ms = 0;
}

/* Whether there is something to decide by is known once the metrics are. */
static int set_looks(struct hm_builder *b, const struct mode *mode) {
    const struct hm_request *r = b->request;
    struct hm_plan *plan = b->plan;
    if (!r->auto_rounds)
        return r->budget_s > 0 ? hm_fail(b->error, EINVAL, "budget: goes with rounds=auto") : 0;
    if (!plan->time_pass)
        return hm_fail(b->error, EINVAL, "rounds=auto: decides by time, and metrics=%s has none",
                       r->metrics);
    plan->looks = hm_looks_plan(mode->looks);
    plan->rounds = plan->looks.rounds[mode->looks - 1];
    plan->budget_s = r->budget_s > 0 ? r->budget_s : default_budget_s;
    return 0;
}

static int set_options(struct hm_builder *b) {
    const struct hm_request *r = b->request;
    struct hm_plan *plan = b->plan;
    const struct mode *mode = &modes[1];
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (r->mode && strcmp(modes[i].name, r->mode) == 0)
            mode = &modes[i];
    plan->mode = mode->name;
    plan->rounds = r->rounds ? r->rounds : mode->rounds;
    plan->target_s = mode->target_s;
    plan->seed = r->seed;
    plan->rate = r->rate;
    plan->timeout_s = r->timeout_s > 0 ? r->timeout_s : 60;
    plan->pin = HM_PIN_CORE;
    if (r->pin && hm_pin_parse(r->pin, &plan->pin))
        return hm_fail(b->error, EINVAL, "pin=%s: must be one of core, smt, spread, none", r->pin);
    if (r->threading && hm_threading_parse(r->threading, &plan->threading))
        return hm_fail(b->error, EINVAL, "threading=%s: must be one of isolated, gil, free",
                       r->threading);
    int bad = set_metrics(b, r->metrics);
    find_valgrind(plan);
    set_turns(plan, r->turn_ms);
    if (!bad && !hm_plan_is_timed(plan))
        plan->rounds = least(plan->rounds, counted_rounds);
    if (!bad && plan->rate && !plan->latency_pass)
        bad = hm_fail(b->error, EINVAL, "rate=%" PRIu64 ": goes with metrics=latency", plan->rate);
    if (!bad)
        bad = set_looks(b, mode);
    return bad ? bad : set_margin(b, r->margin);
}

int hm_plan_build(struct hm_plan **out, const struct hm_request *request,
                  const struct hm_topology *topology, struct hm_error *error) {
    struct hm_plan *plan = calloc(1, sizeof *plan);
    struct hm_builder b = {plan, request, topology, error};
    if (!plan)
        return hm_build_out_of_memory(&b);
    plan->programs = request->programs;
    int bad = set_options(&b);
    for (unsigned i = 0; !bad && i < request->matrix_count; i++)
        bad = add_matrix(&b, &request->matrices[i]);
    if (!bad)
        bad = hm_build_check_sweeps(&b);
    if (bad)
        hm_plan_free(plan);
    else
        *out = plan;
    return bad;
}

static void free_arms(struct hm_plan *plan) {
    for (size_t i = 0; i < plan->arm_count; i++) {
        for (unsigned e = 0; plan->arms[i]->env && e < plan->arms[i]->env_count; e++)
            free(plan->arms[i]->env[e]);
        free(plan->arms[i]->env);
        free(plan->arms[i]);
    }
    free(plan->arms);
}

void hm_plan_free(struct hm_plan *plan) {
    if (!plan)
        return;
    free_arms(plan);
    for (size_t i = 0; i < plan->collector_count; i++)
        free(plan->collectors[i]);
    for (size_t i = 0; i < plan->workload_count; i++)
        free(plan->workloads[i]);
    for (size_t i = 0; i < plan->group_count; i++) {
        free(plan->groups[i]->cpus);
        free(plan->groups[i]->process_cpus);
        free(plan->groups[i]);
    }
    for (size_t i = 0; i < plan->sweep_count; i++)
        hm_sweep_free(plan->sweeps[i]);
    free(plan->sweeps);
    free(plan->collectors);
    free(plan->workloads);
    for (size_t i = 0; i < plan->cell_count; i++)
        free(plan->cells[i].images);
    free(plan->groups);
    free(plan->cells);
    free(plan);
}

const char *hm_group_workload(const struct hm_group *group) {
    return group->program ? group->workload->spec.part->name : group->workload->label;
}

const char *hm_group_params(const struct hm_group *group, char room[HM_SPEC_BYTES]) {
    const struct hm_workload_spec *spec = &group->workload->spec;
    if (group->program)
        return group->program->from_suite ? group->program->name : group->program->text;
    hm_params_format(spec->part->params, &spec->params, room, HM_SPEC_BYTES);
    return room;
}

unsigned hm_plan_rounds(const struct hm_plan *plan, enum hm_pass pass) {
    if (pass == HM_PASS_TIME)
        return plan->time_pass ? plan->rounds : 0;
    if (pass == HM_PASS_SPACE)
        return !plan->space_pass ? 0 : least(plan->rounds, space_rounds);
    if (pass == HM_PASS_LATENCY)
        return plan->latency_pass ? plan->rounds : 0;
    if (pass == HM_PASS_INSTRUCTIONS)
        return !plan->instructions_pass || plan->no_instructions[0]
                   ? 0
                   : least(plan->rounds, counted_rounds);
    if (pass == HM_PASS_COUNTERS)
        return plan->counters_pass ? plan->rounds : 0;
    if (pass == HM_PASS_WARMUP)
        return plan->warmup_pass ? plan->rounds : 0;
    return 1;
}

unsigned hm_group_rounds(const struct hm_plan *plan, const struct hm_group *group,
                         enum hm_pass pass) {
    const struct hm_workload *workload = group->workload->spec.part;
    bool none = (pass == HM_PASS_SPACE && !hm_workload_has_heap(workload)) ||
                (pass == HM_PASS_LATENCY && !hm_workload_has_heap(workload)) ||
                (pass == HM_PASS_INSTRUCTIONS && hm_plan_why_not_counted(group));
    return none ? 0 : hm_plan_rounds(plan, pass);
}

bool hm_plan_is_timed(const struct hm_plan *plan) {
    return plan->time_pass || plan->space_pass || plan->latency_pass || plan->counters_pass ||
           plan->warmup_pass;
}

/* For each cell of it. */
static unsigned group_processes(const struct hm_plan *plan, const struct hm_group *group) {
    unsigned processes = hm_plan_is_timed(plan);
    for (int pass = HM_PASS_TIME; pass < HM_PASS_COUNT; pass++)
        processes += hm_group_rounds(plan, group, (enum hm_pass)pass);
    return processes;
}

size_t hm_plan_processes(const struct hm_plan *plan) {
    size_t processes = 0;
    for (size_t i = 0; i < plan->cell_count; i++)
        if (!plan->cells[i].skip[0])
            processes += group_processes(plan, plan->cells[i].group);
    for (size_t g = 0; g < plan->group_count; g++) /* a baseline says how much is counted */
        processes += hm_group_rounds(plan, plan->groups[g], HM_PASS_INSTRUCTIONS) &&
                     !plan->cells[plan->groups[g]->first].skip[0];
    return processes;
}

double hm_plan_seconds(const struct hm_plan *plan) {
    double seconds = (double)hm_plan_processes(plan) * (warmup_s + plan->target_s + overhead_s);
    for (size_t i = 0; i < plan->cell_count; i++)
        if (!plan->cells[i].skip[0])
            seconds +=
                (double)plan->idle_s * hm_group_rounds(plan, plan->cells[i].group, HM_PASS_SPACE) +
                valgrind_s * hm_group_rounds(plan, plan->cells[i].group, HM_PASS_INSTRUCTIONS);
    return seconds;
}
