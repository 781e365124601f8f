/* The plan of a run: from a request to cells. */
#include "harness/plan/plan.h"

#include "harness/plan/skip.h"

#include "harness/plan/arm.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 4096,
    LIST_MAX = 256, /* longest list of one matrix */
};

/* The modes of a run: how many rounds, and how long one process measures the baseline. */
static const struct mode {
    const char *name;
    unsigned rounds;
    double target_s;
} modes[] = {{"quick", 6, 0.015}, {"default", 12, 0.030}, {"rigorous", 30, 0.060}};

/* A process's time beside the measured one, for the estimate: starting, set-up and end. */
static const double warmup_s = 0.060;
static const double overhead_s = 0.030;

/* Space hardly varies between processes: the fewest rounds that have an interval are enough. */
static const unsigned space_rounds = 6;

struct builder {
    struct hm_plan *plan;
    const struct hm_request *request;
    const struct hm_topology *topology;
    struct hm_error *error;
};

/* One matrix with its lists resolved. */
struct lists {
    struct hm_arm *arms[LIST_MAX];
    struct hm_collector_arm *collectors[LIST_MAX];
    struct hm_workload_arm *workloads[LIST_MAX];
    unsigned threads[LIST_MAX];
    size_t arm_count, collector_count, workload_count, thread_count;
};

/* Append a zeroed item of its own to an array of pointers. Items never move. */
static void *append(void *array_of_pointers, size_t *count, size_t bytes) {
    void ***array = array_of_pointers;
    void **grown = realloc(*array, (*count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    *array = grown;
    void *item = calloc(1, bytes);
    if (item)
        grown[(*count)++] = item;
    return item;
}

static int out_of_memory(struct builder *b) {
    return hm_fail(b->error, ENOMEM, "out of memory while planning");
}

static struct hm_arm *arm_labelled(struct hm_plan *plan, const char *label) {
    for (size_t i = 0; i < plan->arm_count; i++)
        if (strcmp(plan->arms[i]->label, label) == 0)
            return plan->arms[i];
    return NULL;
}

static int take_arm(struct builder *b, const char *text, struct hm_arm **out) {
    struct hm_arm *arm = append(&b->plan->arms, &b->plan->arm_count, sizeof *arm);
    if (!arm)
        return out_of_memory(b);
    int bad = hm_arm_resolve(text, b->request, arm, b->error);
    if (bad)
        return bad;
    for (size_t i = 0; i + 1 < b->plan->arm_count; i++) {
        struct hm_arm *known = b->plan->arms[i];
        if (strcmp(known->label, arm->label) != 0)
            continue;
        if (strcmp(known->library, arm->library) != 0)
            return hm_fail(b->error, EINVAL, "two allocators have the label '%s': %s and %s",
                           arm->label, known->library, arm->library);
        *out = known;
        return 0;
    }
    *out = arm;
    return 0;
}

/* The A/A arm: a copy of the baseline with a label of its own. */
static int take_again(struct builder *b, const struct hm_arm *arm, struct hm_arm **out) {
    char label[HM_SPEC_BYTES];
    snprintf(label, sizeof label, "%.*s#2", HM_SPEC_BYTES - 4, arm->label);
    *out = arm_labelled(b->plan, label);
    if (*out)
        return 0;
    struct hm_arm *again = append(&b->plan->arms, &b->plan->arm_count, sizeof *again);
    if (!again)
        return out_of_memory(b);
    again->spec =
        arm->spec; /* its texts point into the first arm's, which the plan keeps as long */
    snprintf(again->label, sizeof again->label, "%s", label);
    snprintf(again->library, sizeof again->library, "%s", arm->library);
    snprintf(again->build_id, sizeof again->build_id, "%s", arm->build_id);
    snprintf(again->missing, sizeof again->missing, "%s", arm->missing);
    again->plugin = arm->plugin;
    again->again = true;
    again->control = arm->control;
    again->env = calloc(arm->env_count + 1, sizeof *again->env);
    if (!again->env)
        return out_of_memory(b);
    for (; again->env_count < arm->env_count; again->env_count++)
        again->env[again->env_count] = strdup(arm->env[again->env_count]);
    *out = again;
    return 0;
}

/* In the place of an allocator where there is no heap: the C library's, which nothing in the work
 * calls, whatever the matrix names. */
static int take_no_heap(struct builder *b, struct hm_arm **out) {
    const struct hm_request as_it_is = {.matrix_count = 0};
    *out = arm_labelled(b->plan, HM_NO_HEAP);
    if (*out)
        return 0;
    struct hm_arm *arm = append(&b->plan->arms, &b->plan->arm_count, sizeof *arm);
    if (!arm)
        return out_of_memory(b);
    int bad = hm_arm_resolve("system", &as_it_is, arm, b->error);
    snprintf(arm->label, sizeof arm->label, "%s", HM_NO_HEAP);
    *out = arm;
    return bad;
}

static const char *config_use(const struct hm_request *request, const char *kind,
                              const char *name) {
    for (unsigned i = 0; i < request->config_count; i++)
        if (strcmp(request->configs[i].kind, kind) == 0 &&
            strcmp(request->configs[i].name, name) == 0)
            return request->configs[i].use;
    return name;
}

static int take_collector(struct builder *b, const char *text, struct hm_collector_arm **out) {
    struct hm_plan *plan = b->plan;
    for (size_t i = 0; i < plan->collector_count; i++)
        if (strcmp(plan->collectors[i]->label, text) == 0) {
            *out = plan->collectors[i];
            return 0;
        }
    *out = append(&plan->collectors, &plan->collector_count, sizeof **out);
    if (!*out)
        return out_of_memory(b);
    snprintf((*out)->label, sizeof(*out)->label, "%s", text);
    int bad =
        hm_collector_spec_parse(config_use(b->request, "collector", text), &(*out)->spec, b->error);
    if (bad || !hm_collector_check((*out)->spec.part, (*out)->missing, sizeof(*out)->missing))
        return bad;
    return b->request->optional ? 0 : hm_fail(b->error, EINVAL, "%s", (*out)->missing);
}

static int take_workload(struct builder *b, const char *text, struct hm_workload_arm **out) {
    struct hm_plan *plan = b->plan;
    for (size_t i = 0; i < plan->workload_count; i++)
        if (strcmp(plan->workloads[i]->label, text) == 0) {
            *out = plan->workloads[i];
            return 0;
        }
    *out = append(&plan->workloads, &plan->workload_count, sizeof **out);
    if (!*out)
        return out_of_memory(b);
    snprintf((*out)->label, sizeof(*out)->label, "%s", text);
    return hm_workload_spec_parse(config_use(b->request, "workload", text), &(*out)->spec,
                                  b->error);
}

static int take_threads(struct builder *b, const char *text, unsigned *out) {
    int64_t n;
    if (hm_number_parse(text, 1000, &n) || n < 1 || n > THREADS_MAX)
        return hm_fail(b->error, EINVAL, "threads=%s: must be a whole number from 1 to %d", text,
                       THREADS_MAX);
    *out = (unsigned)n;
    return 0;
}

enum list_kind {
    LIST_ALLOCATORS,
    LIST_COLLECTORS,
    LIST_WORKLOADS,
    LIST_THREADS,
};

static int take_item(struct builder *b, struct lists *l, enum list_kind kind, const char *text) {
    switch (kind) {
    case LIST_ALLOCATORS:
        return take_arm(b, text, &l->arms[l->arm_count++]);
    case LIST_COLLECTORS:
        return take_collector(b, text, &l->collectors[l->collector_count++]);
    case LIST_WORKLOADS:
        return take_workload(b, text, &l->workloads[l->workload_count++]);
    case LIST_THREADS:
        return take_threads(b, text, &l->threads[l->thread_count++]);
    }
    return EINVAL;
}

static int take_list(struct builder *b, struct lists *l, enum list_kind kind, const char *text,
                     const char *fallback) {
    static const char *const names[] = {"allocator", "collector", "workload", "thread count"};
    char *copy = strdup(text ? text : fallback);
    char *rest = copy;
    char *items[LIST_MAX];
    size_t count = 0;
    int bad = copy ? 0 : out_of_memory(b);
    for (char *item; !bad && (item = strsep(&rest, ","));) {
        item += strspn(item, " \t");
        item[strcspn(item, " \t")] = '\0';
        if (count == LIST_MAX - 2)
            bad = hm_fail(b->error, EINVAL, "more than %d items in one list", LIST_MAX - 2);
        for (size_t i = 0; !bad && i < count; i++)
            if (strcmp(items[i], item) == 0)
                bad = hm_fail(b->error, EINVAL, "the %s '%s' is given twice", names[kind], item);
        if (!bad && !*item)
            bad = hm_fail(b->error, EINVAL, "the list of %ss has an empty item: '%s'", names[kind],
                          text ? text : fallback);
        if (!bad)
            bad = take_item(b, l, kind, item);
        items[count++] = item;
    }
    free(copy);
    return bad;
}

/* The baseline comes first, so that a group's first cell is what the others are compared with. */
static int choose_baseline(struct builder *b, struct lists *l) {
    const char *label = b->request->baseline;
    for (size_t i = 0; label && i < l->arm_count; i++)
        if (strcmp(l->arms[i]->label, label) == 0) {
            struct hm_arm *chosen = l->arms[i];
            memmove(l->arms + 1, l->arms, i * sizeof *l->arms);
            l->arms[0] = chosen;
            return 0;
        }
    return label ? hm_fail(b->error, EINVAL,
                           "baseline=%s: no allocator of the matrix has this label", label)
                 : 0;
}

static int add_cell(struct builder *b, struct hm_group *group, struct hm_arm *arm,
                    struct hm_collector_arm *collector, size_t baseline) {
    struct hm_plan *plan = b->plan;
    struct hm_cell *grown = realloc(plan->cells, (plan->cell_count + 1) * sizeof *grown);
    if (!grown)
        return out_of_memory(b);
    plan->cells = grown;
    struct hm_cell *cell = &grown[plan->cell_count];
    *cell = (struct hm_cell){.group = group,
                             .arm = arm,
                             .collector = collector,
                             .baseline = baseline,
                             .ns_per_unit = NAN};
    snprintf(cell->id, sizeof cell->id, "%s/%s/%s/t%u/%s", group->workload->label, arm->label,
             collector ? collector->label : "-", group->threads, hm_pin_name(plan->pin));
    hm_plan_say_skip(plan, cell);
    plan->cell_count++;
    group->count++;
    return 0;
}

static bool has_arm(const struct lists *l, const char *label) {
    for (size_t i = 0; i < l->arm_count; i++)
        if (strcmp(l->arms[i]->label, label) == 0)
            return true;
    return false;
}

/* The controls of a group: the A/A arm, and one floor row for each shape. */
static int add_controls(struct builder *b, struct hm_group *group, const struct lists *l,
                        struct hm_collector_arm *collector) {
    static const char *const floors[] = {"floor", "floor:shape=heap"};
    struct hm_arm *arm;
    int bad = take_again(b, l->arms[0], &arm);
    if (!bad)
        bad = add_cell(b, group, arm, collector, group->first);
    for (size_t i = 0; !bad && i < sizeof floors / sizeof *floors; i++) {
        if (has_arm(l, floors[i]))
            continue;
        bad = take_arm(b, floors[i], &arm);
        if (!bad)
            bad = add_cell(b, group, arm, collector, group->first);
    }
    return bad;
}

static int add_heap_cells(struct builder *b, struct hm_group *group, const struct lists *l) {
    int bad = 0;
    for (size_t a = 0; !bad && a < l->arm_count; a++)
        bad = add_cell(b, group, l->arms[a], NULL, group->first);
    return bad ? bad : add_controls(b, group, l, NULL);
}

/* Allocators are compared under the same collector; collectors on the baseline allocator. */
static int add_object_cells(struct builder *b, struct hm_group *group, const struct lists *l) {
    int bad = 0;
    for (size_t c = 0; !bad && c < l->collector_count; c++) {
        size_t of_collector = b->plan->cell_count;
        for (size_t a = 0; !bad && a < l->arm_count; a++)
            bad = add_cell(b, group, l->arms[a], l->collectors[c], a ? of_collector : group->first);
    }
    return bad ? bad : add_controls(b, group, l, l->collectors[0]);
}

/* Allocators whose heap processes can share come first: the baseline is one of them, if there is any. */
static int add_shared_heap_cells(struct builder *b, struct hm_group *group, const struct lists *l) {
    struct hm_arm *again;
    struct hm_arm *baseline = NULL;
    int bad = 0;
    for (int shared = 1; shared >= 0; shared--)
        for (size_t a = 0; !bad && a < l->arm_count; a++) {
            if (hm_allocator_spec_shared(&l->arms[a]->spec) != (bool)shared)
                continue;
            if (shared && !baseline)
                baseline = l->arms[a];
            bad = add_cell(b, group, l->arms[a], NULL, group->first);
        }
    if (bad || !baseline)
        return bad;
    bad = take_again(b, baseline, &again);
    return bad ? bad : add_cell(b, group, again, NULL, group->first);
}

/* Neither allocators nor collectors: one cell, and its A/A arm. */
static int add_cells_without_heap(struct builder *b, struct hm_group *group) {
    struct hm_arm *arm;
    struct hm_arm *again;
    int bad = take_no_heap(b, &arm);
    if (!bad)
        bad = add_cell(b, group, arm, NULL, group->first);
    if (!bad)
        bad = take_again(b, arm, &again);
    return bad ? bad : add_cell(b, group, again, NULL, group->first);
}

static int add_cells(struct builder *b, struct hm_group *group, const struct lists *l) {
    const struct hm_workload *part = group->workload->spec.part;
    if (!hm_workload_uses_allocator(part))
        return add_cells_without_heap(b, group);
    if (part->shared_heap)
        return add_shared_heap_cells(b, group, l);
    return part->kind == HM_WORKLOAD_OBJECT ? add_object_cells(b, group, l)
                                            : add_heap_cells(b, group, l);
}

/* Where the group's threads run, and the processes that its workload starts. */
static int place_group(struct builder *b, struct hm_group *group) {
    const struct hm_workload_spec *w = &group->workload->spec;
    const enum hm_pin pin = b->plan->pin;
    group->processes = w->part->processes ? w->part->processes(w->params.values) : 0;
    group->cpus = calloc(group->threads, sizeof *group->cpus);
    group->process_cpus = calloc(group->processes + 1, sizeof *group->process_cpus);
    if (!group->cpus || !group->process_cpus)
        return out_of_memory(b);
    int bad =
        hm_topology_place(b->topology, pin, group->threads, group->cpus, &group->oversubscribed);
    if (!bad && group->processes)
        bad = hm_topology_place(b->topology, pin, group->processes, group->process_cpus,
                                &group->oversubscribed);
    return bad ? hm_fail(b->error, bad, "can not place %u threads and %u processes: %s",
                         group->threads, group->processes, strerror(bad))
               : 0;
}

static int add_group(struct builder *b, const struct lists *l, struct hm_workload_arm *workload,
                     unsigned threads) {
    struct hm_plan *plan = b->plan;
    for (size_t i = 0; i < plan->group_count; i++)
        if (plan->groups[i]->workload == workload && plan->groups[i]->threads == threads)
            return hm_fail(b->error, EINVAL, "workload '%s' at %u threads stands in two matrices",
                           workload->label, threads);
    struct hm_group *group = append(&plan->groups, &plan->group_count, sizeof *group);
    if (!group)
        return out_of_memory(b);
    group->workload = workload;
    group->threads = threads;
    group->first = plan->cell_count;
    int bad = place_group(b, group);
    return bad ? bad : add_cells(b, group, l);
}

static int add_matrix(struct builder *b, const struct hm_matrix *m) {
    struct lists *l = calloc(1, sizeof *l);
    if (!l)
        return out_of_memory(b);
    int bad = take_list(b, l, LIST_ALLOCATORS, m->allocators, "system");
    if (!bad)
        bad = take_list(b, l, LIST_COLLECTORS, m->collectors, "none,refcount,generational");
    if (!bad)
        bad = take_list(b, l, LIST_WORKLOADS, m->workloads, "churn");
    if (!bad)
        bad = take_list(b, l, LIST_THREADS, m->threads, "1");
    if (!bad)
        bad = choose_baseline(b, l);
    for (size_t w = 0; !bad && w < l->workload_count; w++)
        for (size_t t = 0; !bad && t < l->thread_count; t++)
            bad = add_group(b, l, l->workloads[w], l->threads[t]);
    free(l);
    return bad;
}

static int set_metrics(struct builder *b, const char *text) {
    char *copy = strdup(text ? text : "time,space");
    int bad = copy ? 0 : out_of_memory(b);
    for (char *rest = copy, *item; !bad && (item = strsep(&rest, ","));) {
        if (strcmp(item, "time") == 0)
            b->plan->time_pass = true;
        else if (strcmp(item, "space") == 0)
            b->plan->space_pass = true;
        else
            bad = hm_fail(b->error, EINVAL, "metrics=%s: '%s' is none of time, space", text, item);
    }
    free(copy);
    return bad;
}

static int set_margin(struct builder *b, const char *text) {
    char *end = NULL;
    double percent = text ? strtod(text, &end) : 2;
    if (text &&
        (end == text || (strcmp(end, "%") != 0 && *end) || !(percent >= 0.1) || !(percent <= 100)))
        return hm_fail(b->error, EINVAL, "margin=%s: must be percent from 0.1%% to 100%%", text);
    b->plan->margin = percent / 100;
    return 0;
}

static int set_options(struct builder *b) {
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
    plan->timeout_s = r->timeout_s > 0 ? r->timeout_s : 60;
    plan->pin = HM_PIN_CORE;
    if (r->pin && hm_pin_parse(r->pin, &plan->pin))
        return hm_fail(b->error, EINVAL, "pin=%s: must be one of core, smt, spread, none", r->pin);
    if (r->threading && hm_threading_parse(r->threading, &plan->threading))
        return hm_fail(b->error, EINVAL, "threading=%s: must be one of isolated, gil, free",
                       r->threading);
    int bad = set_metrics(b, r->metrics);
    return bad ? bad : set_margin(b, r->margin);
}

int hm_plan_build(struct hm_plan **out, const struct hm_request *request,
                  const struct hm_topology *topology, struct hm_error *error) {
    struct hm_plan *plan = calloc(1, sizeof *plan);
    struct builder b = {plan, request, topology, error};
    if (!plan)
        return out_of_memory(&b);
    int bad = set_options(&b);
    for (unsigned i = 0; !bad && i < request->matrix_count; i++)
        bad = add_matrix(&b, &request->matrices[i]);
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
    free(plan->collectors);
    free(plan->workloads);
    free(plan->groups);
    free(plan->cells);
    free(plan);
}

unsigned hm_plan_rounds(const struct hm_plan *plan, enum hm_pass pass) {
    if (pass == HM_PASS_TIME)
        return plan->time_pass ? plan->rounds : 0;
    if (pass == HM_PASS_SPACE)
        return !plan->space_pass ? 0 : plan->rounds < space_rounds ? plan->rounds : space_rounds;
    return 1;
}

unsigned hm_group_rounds(const struct hm_plan *plan, const struct hm_group *group,
                         enum hm_pass pass) {
    bool has_space = hm_workload_has_heap(group->workload->spec.part);
    return pass == HM_PASS_SPACE && !has_space ? 0 : hm_plan_rounds(plan, pass);
}

size_t hm_plan_processes(const struct hm_plan *plan) {
    size_t processes = 0;
    for (size_t i = 0; i < plan->cell_count; i++)
        if (!plan->cells[i].skip[0])
            processes += 1u + hm_group_rounds(plan, plan->cells[i].group, HM_PASS_TIME) +
                         hm_group_rounds(plan, plan->cells[i].group, HM_PASS_SPACE);
    return processes;
}

double hm_plan_seconds(const struct hm_plan *plan) {
    return (double)hm_plan_processes(plan) * (warmup_s + plan->target_s + overhead_s);
}
