/* The lists of a matrix, from texts to the plan's arms, collectors and workloads. */
#include "harness/plan/build.h"

#include "harness/plan/arm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_MAX = 4096,
};

/* Append a zeroed item of its own to an array of pointers. Items never move. */
void *hm_build_append(void *array_of_pointers, size_t *count, size_t bytes) {
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

int hm_build_out_of_memory(struct hm_builder *b) {
    return hm_fail(b->error, ENOMEM, "out of memory while planning");
}

static struct hm_arm *arm_labelled(struct hm_plan *plan, const char *label) {
    for (size_t i = 0; i < plan->arm_count; i++)
        if (strcmp(plan->arms[i]->label, label) == 0)
            return plan->arms[i];
    return NULL;
}

int hm_build_arm(struct hm_builder *b, const char *text, struct hm_arm **out) {
    struct hm_arm *arm = hm_build_append(&b->plan->arms, &b->plan->arm_count, sizeof *arm);
    if (!arm)
        return hm_build_out_of_memory(b);
    int bad = hm_arm_resolve(text, b->request, arm, b->error);
    if (!bad && b->request->programs)
        bad = hm_arm_for_programs(arm, b->error);
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
int hm_build_again(struct hm_builder *b, const struct hm_arm *arm, struct hm_arm **out) {
    char label[HM_SPEC_BYTES];
    snprintf(label, sizeof label, "%.*s#2", HM_SPEC_BYTES - 4, arm->label);
    *out = arm_labelled(b->plan, label);
    if (*out)
        return 0;
    struct hm_arm *again = hm_build_append(&b->plan->arms, &b->plan->arm_count, sizeof *again);
    if (!again)
        return hm_build_out_of_memory(b);
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
        return hm_build_out_of_memory(b);
    for (; again->env_count < arm->env_count; again->env_count++)
        again->env[again->env_count] = strdup(arm->env[again->env_count]);
    *out = again;
    return 0;
}

/* In the place of an allocator where there is no heap: the C library's, which nothing in the work
 * calls, whatever the matrix names. */
int hm_build_no_heap(struct hm_builder *b, struct hm_arm **out) {
    const struct hm_request as_it_is = {.matrix_count = 0};
    *out = arm_labelled(b->plan, HM_NO_HEAP);
    if (*out)
        return 0;
    struct hm_arm *arm = hm_build_append(&b->plan->arms, &b->plan->arm_count, sizeof *arm);
    if (!arm)
        return hm_build_out_of_memory(b);
    int bad = hm_arm_resolve("system", &as_it_is, arm, b->error);
    snprintf(arm->label, sizeof arm->label, "%s", HM_NO_HEAP);
    *out = arm;
    return bad;
}

static int take_collector(struct hm_builder *b, const char *text, struct hm_collector_arm **out) {
    struct hm_plan *plan = b->plan;
    for (size_t i = 0; i < plan->collector_count; i++)
        if (strcmp(plan->collectors[i]->label, text) == 0) {
            *out = plan->collectors[i];
            return 0;
        }
    *out = hm_build_append(&plan->collectors, &plan->collector_count, sizeof **out);
    if (!*out)
        return hm_build_out_of_memory(b);
    snprintf((*out)->label, sizeof(*out)->label, "%s", text);
    char use[2 * HM_SPEC_BYTES];
    hm_request_config(b->request, "collector", text, use, sizeof use);
    int bad = hm_collector_spec_parse(use, &(*out)->spec, b->error);
    if (bad || !hm_collector_check((*out)->spec.part, (*out)->missing, sizeof(*out)->missing))
        return bad;
    return b->request->optional ? 0 : hm_fail(b->error, EINVAL, "%s", (*out)->missing);
}

static int take_workload(struct hm_builder *b, const char *text, struct hm_workload_arm **out) {
    struct hm_plan *plan = b->plan;
    for (size_t i = 0; i < plan->workload_count; i++)
        if (strcmp(plan->workloads[i]->label, text) == 0) {
            *out = plan->workloads[i];
            return 0;
        }
    *out = hm_build_append(&plan->workloads, &plan->workload_count, sizeof **out);
    if (!*out)
        return hm_build_out_of_memory(b);
    snprintf((*out)->label, sizeof(*out)->label, "%s", text);
    char use[2 * HM_SPEC_BYTES];
    hm_request_config(b->request, "workload", text, use, sizeof use);
    return hm_workload_spec_parse(use, &(*out)->spec, b->error);
}

static int take_threads(struct hm_builder *b, const char *text, unsigned *out) {
    int64_t n;
    if (hm_number_parse(text, 1000, &n) || n < 1 || n > THREADS_MAX)
        return hm_fail(b->error, EINVAL, "threads=%s: must be a whole number from 1 to %d", text,
                       THREADS_MAX);
    *out = (unsigned)n;
    return 0;
}

static int take_item(struct hm_builder *b, struct hm_lists *l, enum hm_list_kind kind,
                     const char *text) {
    switch (kind) {
    case HM_LIST_ALLOCATORS:
        return hm_build_arm(b, text, &l->arms[l->arm_count++]);
    case HM_LIST_COLLECTORS:
        return take_collector(b, text, &l->collectors[l->collector_count++]);
    case HM_LIST_WORKLOADS:
        return take_workload(b, text, &l->workloads[l->workload_count++]);
    case HM_LIST_THREADS:
        return take_threads(b, text, &l->threads[l->thread_count++]);
    }
    return EINVAL;
}

int hm_build_list(struct hm_builder *b, struct hm_lists *l, enum hm_list_kind kind,
                  const char *text, const char *fallback) {
    static const char *const names[] = {"allocator", "collector", "workload", "thread count"};
    char *copy = strdup(text ? text : fallback);
    char *rest = copy;
    char *items[HM_BUILD_LIST_MAX];
    size_t count = 0;
    int bad = copy ? 0 : hm_build_out_of_memory(b);
    for (char *item; !bad && (item = strsep(&rest, ","));) {
        item += strspn(item, " \t");
        item[strcspn(item, " \t")] = '\0';
        if (count == HM_BUILD_LIST_ITEMS)
            bad = hm_fail(b->error, EINVAL, "more than %d items in one list", HM_BUILD_LIST_ITEMS);
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
int hm_build_baseline(struct hm_builder *b, struct hm_lists *l) {
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
