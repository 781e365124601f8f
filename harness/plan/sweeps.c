/* The sweeps of a matrix, from its text to its lists. */
#include "harness/plan/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A text without its blanks around commas. The caller frees. */
static char *close_up(const char *text) {
    char *closed = strdup(text);
    char *to = closed;
    for (const char *at = text; closed && *at; at++) {
        size_t blanks = strspn(at, " \t");
        bool by_comma = blanks && (at[blanks] == ',' || (to > closed && to[-1] == ','));
        if (by_comma)
            at += blanks;
        *to = *at;
        to += *at != '\0';
        if (!*at)
            break;
    }
    if (closed)
        *to = '\0';
    return closed;
}

/* Whether a list has an item. */
static bool has_item(const char *list, const char *item) {
    size_t length = strlen(item);
    while (list && *list) {
        list += strspn(list, ", \t");
        size_t span = strcspn(list, ", \t");
        if (span && span == length && strncmp(list, item, span) == 0)
            return true;
        list += span;
    }
    return false;
}

/* Whatever the list names, and the arms that it does not name. */
static int extend(struct hm_builder *b, struct hm_matrix *m, const struct hm_sweep *sweep) {
    char key[16];
    char **list = *sweep->kind == 'a'   ? &m->allocators
                  : *sweep->kind == 'c' ? &m->collectors
                                        : &m->workloads;
    snprintf(key, sizeof key, "%ss", sweep->kind);
    for (size_t i = 0; i < sweep->arm_count; i++)
        if (!has_item(*list, sweep->arms[i].label) &&
            hm_matrix_extend(m, key, sweep->arms[i].label))
            return hm_build_out_of_memory(b);
    return 0;
}

/* Several matrices may have the same sweep: it is noted once. @return the one of the plan, or NULL: no memory */
static const struct hm_sweep *note(struct hm_plan *plan, struct hm_sweep *sweep) {
    for (size_t i = 0; i < plan->sweep_count; i++)
        if (strcmp(plan->sweeps[i]->text, sweep->text) == 0) {
            hm_sweep_free(sweep);
            return plan->sweeps[i];
        }
    struct hm_sweep **grown = realloc(plan->sweeps, (plan->sweep_count + 1) * sizeof(*grown));
    if (!grown) {
        hm_sweep_free(sweep);
        return NULL;
    }
    plan->sweeps = grown;
    return grown[plan->sweep_count++] = sweep;
}

static int add_sweep(struct hm_builder *b, const char *text, struct hm_matrix *out) {
    struct hm_sweep *sweep = NULL;
    int bad = hm_sweep_parse(text, b->request, &sweep, b->error);
    if (bad)
        return bad;
    const struct hm_sweep *noted = note(b->plan, sweep);
    return noted ? extend(b, out, noted) : hm_build_out_of_memory(b);
}

static int copy_lists(struct hm_builder *b, const struct hm_matrix *m, struct hm_matrix *out) {
    const char *const keys[] = {"allocators", "collectors", "workloads", "threads"};
    const char *const values[] = {m->allocators, m->collectors, m->workloads, m->threads};
    for (size_t k = 0; k < 4; k++)
        if (values[k] && hm_matrix_set(out, keys[k], values[k]))
            return hm_build_out_of_memory(b);
    return 0;
}

int hm_build_sweeps(struct hm_builder *b, const struct hm_matrix *m, struct hm_matrix *out) {
    char *text = close_up(m->sweep ? m->sweep : "");
    int bad = text ? copy_lists(b, m, out) : hm_build_out_of_memory(b);
    for (char *rest = text, *one; !bad && (one = strsep(&rest, " \t"));)
        if (*one)
            bad = add_sweep(b, one, out);
    free(text);
    return bad;
}

static bool has_objects(const struct hm_plan *plan) {
    for (size_t i = 0; i < plan->cell_count; i++)
        if (plan->cells[i].collector)
            return true;
    return false;
}

int hm_build_check_sweeps(struct hm_builder *b) {
    for (size_t i = 0; i < b->plan->sweep_count; i++)
        if (*b->plan->sweeps[i]->kind == 'c' && !has_objects(b->plan))
            return hm_fail(b->error, EINVAL,
                           "sweep '%.80s': no workload of the matrix has objects to collect",
                           b->plan->sweeps[i]->text);
    return 0;
}
