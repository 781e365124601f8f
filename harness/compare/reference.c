/* Chooses what the times of a cell are compared by. */
#include "harness/compare/reference.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE = 480,
    PAIRS = 6, /* of baseline and substitute that are told one by one */
};

static bool has_values(const struct hm_side_cell *cell, const struct hm_metric *metric) {
    return cell && !cell->failure && hm_side_series(cell, metric);
}

const struct hm_side_cell *hm_compare_in_both(struct hm_compare *all, const char *id,
                                              const struct hm_metric *metric,
                                              const struct hm_side_cell **fresh) {
    const struct hm_side_cell *base = id ? hm_side_find(&all->base, id) : NULL;
    *fresh = id ? hm_side_find(&all->fresh, id) : NULL;
    return has_values(base, metric) && has_values(*fresh, metric) ? base : NULL;
}

/* ---- Sameness ---- */

const char *hm_sameness_name(enum hm_sameness sameness) {
    static const char *const names[] = {"same", "not known", "changed"};
    return names[sameness];
}

static enum hm_sameness worse(enum hm_sameness a, enum hm_sameness b) {
    return a > b ? a : b;
}

static const json_t *part_of(const struct hm_side *side, const char *array, const char *label) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(side->run, array), i, one) {
        const char *text = json_string_value(json_object_get(one, "label"));
        if (text && strcmp(text, label) == 0)
            return one;
    }
    return NULL;
}

/* Ids of code. A run that tells none is of a heapmark before they were kept: never the same build as one
 * that does. */
static enum hm_sameness same_ids(const char *was, const char *is) {
    if (!*was && !*is)
        return HM_NOT_KNOWN;
    return strcmp(was, is) == 0 ? HM_PROVEN : HM_CHANGED;
}

static enum hm_sameness same_build(const struct hm_compare *all) {
    return same_ids(hm_side_text(&all->base, "build", "id"),
                    hm_side_text(&all->fresh, "build", "id"));
}

static const char *text_of(const json_t *part, const char *key) {
    const char *text = json_string_value(json_object_get(part, key));
    return text ? text : "";
}

/* What stands in run.json of an allocator or collector, code aside. */
static bool same_text(const json_t *was, const json_t *is) {
    static const char *const keys[] = {"spec", "params", "build_id", "env"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *a = json_object_get(was, keys[i]);
        const json_t *b = json_object_get(is, keys[i]);
        if (a != b && !json_equal(a, b))
            return false;
    }
    return true;
}

static enum hm_sameness same_allocator(const struct hm_compare *all, const char *label) {
    const json_t *was = part_of(&all->base, "allocators", label);
    const json_t *is = part_of(&all->fresh, "allocators", label);
    if (!was || !is)
        return HM_NOT_KNOWN;
    if (!same_text(was, is))
        return HM_CHANGED;
    bool told = json_object_get(was, "own") && json_object_get(is, "own");
    bool own =
        json_is_true(json_object_get(was, "own")) || json_is_true(json_object_get(is, "own"));
    const char *code[] = {text_of(was, "code"), text_of(is, "code")};
    enum hm_sameness library = HM_PROVEN;
    if (!told)
        return own ? same_build(all) : HM_NOT_KNOWN;
    if (!own || *code[0] || *code[1])
        library = same_ids(code[0], code[1]);
    return own ? worse(library, same_build(all)) : library;
}

/* All collectors are in heapmark, or are called by what is in it. */
static enum hm_sameness same_collector(const struct hm_compare *all, const char *label) {
    const json_t *was = part_of(&all->base, "collectors", label);
    const json_t *is = part_of(&all->fresh, "collectors", label);
    if (strcmp(label, "-") == 0)
        return HM_PROVEN;
    return was && is && !same_text(was, is) ? HM_CHANGED : same_build(all);
}

enum hm_sameness hm_arm_sameness(const struct hm_compare *all, const struct hm_side_cell *cell) {
    return worse(same_allocator(all, cell->allocator), same_collector(all, cell->collector));
}

/* ---- Candidates ---- */

static bool is_own_baseline(const struct hm_side_cell *cell) {
    return !cell->baseline || strcmp(cell->baseline, cell->id) == 0;
}

static bool is_arm(const struct hm_side_cell *cell) {
    return !cell->again && !cell->control;
}

/* Whether other arms of a run, failed ones too, are compared with this one there. */
static bool leads(const struct hm_side *side, const struct hm_side_cell *of) {
    for (size_t i = 0; i < side->count; i++) {
        const struct hm_side_cell *cell = &side->cells[i];
        if (is_arm(cell) && !is_own_baseline(cell) && strcmp(cell->baseline, of->id) == 0)
            return true;
    }
    return false;
}

static bool is_neighbour(const struct hm_side_cell *a, const struct hm_side_cell *b) {
    return strcmp(a->workload, b->workload) == 0 && strcmp(a->threads, b->threads) == 0;
}

/* The floor of a baseline's group, in both runs. The collector on it is part of what it measures. */
static const struct hm_side_cell *floor_of(struct hm_compare *all, const struct hm_side_cell *of,
                                           const struct hm_metric *metric) {
    if (same_collector(all, of->collector) == HM_CHANGED)
        return NULL;
    for (size_t i = 0; i < all->base.count; i++) {
        const struct hm_side_cell *cell = &all->base.cells[i];
        const struct hm_side_cell *fresh;
        if (cell->control && !cell->again && !is_own_baseline(cell) &&
            strcmp(cell->baseline, of->id) == 0 &&
            hm_compare_in_both(all, cell->id, metric, &fresh) && fresh->baseline &&
            strcmp(fresh->baseline, of->id) == 0)
            return cell;
    }
    return NULL;
}

static const struct hm_side_cell *substitute_of(struct hm_compare *all,
                                                const struct hm_side_cell *baseline,
                                                const struct hm_metric *metric) {
    for (size_t i = 0; i < all->base.count; i++) {
        const struct hm_side_cell *cell = &all->base.cells[i];
        const struct hm_side_cell *fresh;
        if (is_arm(cell) && cell != baseline && is_neighbour(cell, baseline) &&
            hm_compare_in_both(all, cell->id, metric, &fresh) &&
            hm_arm_sameness(all, cell) == HM_PROVEN)
            return cell;
    }
    return NULL;
}

/* The cell of BASE that both runs compare this one with; NULL where they disagree. */
static const struct hm_side_cell *baseline_of(struct hm_compare *all,
                                              const struct hm_side_cell *base,
                                              const struct hm_side_cell *fresh) {
    if (is_own_baseline(base) && is_own_baseline(fresh))
        return base;
    if (!base->baseline || !fresh->baseline || strcmp(base->baseline, fresh->baseline) != 0)
        return NULL;
    return hm_side_find(&all->base, base->baseline);
}

/* ---- A choice of the user's ---- */

static const char baselines[] = "baseline";

static bool takes_baselines(const struct hm_compare *all) {
    return all->reference && strcmp(all->reference, baselines) == 0;
}

static bool is_named(const struct hm_compare *all, const struct hm_side_cell *cell) {
    return !cell->again && (strcmp(cell->allocator, all->reference) == 0 ||
                            strcmp(cell->collector, all->reference) == 0);
}

/* Under the cell's own collector, where there is a choice. */
static const struct hm_side_cell *named_of(struct hm_compare *all, const struct hm_side_cell *of,
                                           const struct hm_metric *metric) {
    const struct hm_side_cell *found = NULL;
    for (size_t i = 0; all->reference && i < all->base.count; i++) {
        const struct hm_side_cell *cell = &all->base.cells[i];
        const struct hm_side_cell *fresh;
        if (!is_named(all, cell) || !is_neighbour(cell, of) ||
            !hm_compare_in_both(all, cell->id, metric, &fresh))
            continue;
        if (strcmp(cell->collector, of->collector) == 0)
            return cell;
        found = found ? found : cell;
    }
    return found;
}

bool hm_reference_is_known(struct hm_compare *all) {
    if (!all->reference || takes_baselines(all))
        return true;
    for (size_t i = 0; i < all->base.count; i++)
        if (is_named(all, &all->base.cells[i]) && hm_side_find(&all->fresh, all->base.cells[i].id))
            return true;
    return false;
}

/* ---- The choice ---- */

static bool may_lead(const struct hm_compare *all, const struct hm_side_cell *baseline) {
    return takes_baselines(all) || hm_arm_sameness(all, baseline) != HM_CHANGED;
}

bool hm_is_reference(struct hm_compare *all, const struct hm_side_cell *cell,
                     const struct hm_metric *metric) {
    if (all->keep_drift || !hm_compare_drifts(metric))
        return false;
    const struct hm_side_cell *named = named_of(all, cell, metric);
    if (named)
        return named == cell;
    if (is_own_baseline(cell))
        return may_lead(all, cell) && (leads(&all->base, cell) || leads(&all->fresh, cell));
    const struct hm_side_cell *baseline = hm_side_find(&all->base, cell->baseline);
    return baseline && !may_lead(all, baseline) && substitute_of(all, baseline, metric) == cell;
}

const char *hm_reference_of(struct hm_compare *all, const struct hm_side_cell *base,
                            const struct hm_side_cell *fresh, const struct hm_metric *metric) {
    const struct hm_side_cell *other;
    const struct hm_side_cell *baseline = baseline_of(all, base, fresh);
    if (all->keep_drift || !hm_compare_drifts(metric) || !baseline)
        return NULL;
    const struct hm_side_cell *chosen = named_of(all, base, metric);
    if (!chosen && may_lead(all, baseline)) {
        if (baseline != base && hm_compare_in_both(all, baseline->id, metric, &other))
            chosen = baseline;
    } else if (!chosen) {
        chosen = substitute_of(all, baseline, metric);
    }
    if (!chosen)
        chosen = floor_of(all, baseline, metric);
    return chosen && chosen != base ? chosen->id : NULL;
}

/* ---- Notes ---- */

struct pair {
    const struct hm_side_cell *baseline, *reference; /* the first ones of their arms */
    enum hm_sameness sameness;                       /* of the reference */
    size_t count;                                    /* comparisons */
};

static bool is_one_arm(const struct hm_side_cell *a, const struct hm_side_cell *b) {
    return strcmp(a->allocator, b->allocator) == 0 && strcmp(a->collector, b->collector) == 0;
}

static const char *arm_name(const struct hm_side_cell *cell, char *out, size_t size) {
    bool plain = strcmp(cell->collector, "-") == 0;
    snprintf(out, size, "%.60s%s%.60s", plain ? "" : cell->collector, plain ? "" : " on ",
             cell->allocator);
    return out;
}

static const struct hm_side_cell *cell_of(const struct hm_compare *all, const char *id) {
    for (size_t i = 0; id && i < all->base.count; i++)
        if (strcmp(all->base.cells[i].id, id) == 0)
            return &all->base.cells[i];
    return NULL;
}

/* One for each baseline and what is taken in its place. */
static size_t find_pairs(const struct hm_compare *all, struct pair pairs[PAIRS]) {
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct hm_compared *c = &all->cells[i];
        const struct hm_side_cell *reference = cell_of(all, c->reference);
        const struct hm_side_cell *baseline = cell_of(all, c->base->baseline);
        size_t p = 0;
        if (!reference || !baseline)
            continue;
        while (p < count && !(is_one_arm(pairs[p].baseline, baseline) &&
                              is_one_arm(pairs[p].reference, reference)))
            p++;
        if (p == PAIRS)
            continue;
        if (p == count)
            pairs[count++] = (struct pair){baseline, reference, HM_PROVEN, 0};
        pairs[p].sameness = worse(pairs[p].sameness, hm_arm_sameness(all, reference));
        pairs[p].count++;
    }
    return count;
}

static void note_pair(const struct pair *p, hm_misfit_fn *tell, void *arg) {
    char line[LINE];
    char names[2][160];
    static const char *const doubts[] = {
        "", "; nothing tells that its code is the same",
        "; but its code may have changed too, and that would be taken for drift"};
    bool other = !is_one_arm(p->baseline, p->reference);
    arm_name(p->baseline, names[0], sizeof names[0]);
    arm_name(p->reference, names[1], sizeof names[1]);
    if (other)
        snprintf(line, sizeof line, "%zu ratios are to %s, not to the baseline %s%s", p->count,
                 names[1], names[0], doubts[p->sameness]);
    else
        snprintf(line, sizeof line, "%zu ratios are to the baseline %s%s", p->count, names[1],
                 doubts[p->sameness]);
    if (other || p->sameness == HM_CHANGED)
        tell(arg, line);
}

static void note_build(const struct hm_compare *all, hm_misfit_fn *tell, void *arg) {
    enum hm_sameness build = same_build(all);
    const json_t *first = json_array_get(json_object_get(all->base.run, "workloads"), 0);
    if (json_object_get(first, "program"))
        return; /* no code of heapmark's runs in a program, but for libraries that have ids of their own */
    if (build == HM_CHANGED)
        tell(arg,
             "heapmark is another build in NEW: its own allocators and all collectors may have "
             "changed, and are no reference unless --reference says so");
    if (build == HM_NOT_KNOWN)
        tell(arg, "the runs do not tell which build of heapmark measured them: a change of its own "
                  "parts is not seen");
}

void hm_reference_notes(const struct hm_compare *all, hm_misfit_fn *tell, void *arg) {
    struct pair pairs[PAIRS];
    size_t count = find_pairs(all, pairs);
    note_build(all, tell, arg);
    for (size_t i = 0; i < count; i++)
        note_pair(&pairs[i], tell, arg);
}
