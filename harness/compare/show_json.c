/* A comparison as JSON; docs/compare.md tells of each key. */
#include "harness/compare/reference.h"
#include "harness/compare/show.h"

#include <math.h>
#include <string.h>

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text_or_null(const char *text) {
    return text ? json_string(text) : json_null();
}

/* A folder's name may be no UTF-8, and so no JSON. */
static json_t *side_json(const struct hm_side *side) {
    json_t *folder = json_string(side->folder);
    return json_pack("{s:o, s:s, s:s, s:s, s:O?}", "folder", folder ? folder : json_null(), "run",
                     hm_side_text(side, NULL, "run"), "started_utc",
                     hm_side_text(side, NULL, "started_utc"), "build_id",
                     hm_side_text(side, "build", "id"), "rounds",
                     json_object_get(side->run, "rounds"));
}

static json_t *lines_json(const struct hm_lines *lines) {
    json_t *all = json_array();
    for (size_t i = 0; i < lines->count; i++)
        json_array_append_new(all, json_string(lines->at[i]));
    return all;
}

static void put_estimate(json_t *json, const struct hm_unpaired *one) {
    json_object_set_new(json, "ratio", number(one->ratio));
    json_object_set_new(json, "ratio_low", number(one->low));
    json_object_set_new(json, "ratio_high", number(one->high));
}

static json_t *reference_code(const struct hm_compare *all, const char *id) {
    for (size_t i = 0; id && i < all->base.count; i++)
        if (strcmp(all->base.cells[i].id, id) == 0)
            return json_string(hm_sameness_name(hm_arm_sameness(all, &all->base.cells[i])));
    return json_null();
}

static json_t *cell_json(const struct hm_compare *all, const struct hm_compared *c,
                         const struct hm_unpaired *j) {
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "cell", c->base->id, "allocator",
                  c->base->allocator, "collector", c->base->collector, "workload",
                  c->base->workload, "threads", c->base->threads, "metric", c->metric->name, "unit",
                  c->metric->unit, "better", hm_better_name(c->metric->better));
    json_t *value = json_object();
    put_estimate(value, &c->value);
    json_object_set_new(json, "base_rounds", json_integer((json_int_t)j->base_count));
    json_object_set_new(json, "new_rounds", json_integer((json_int_t)j->arm_count));
    json_object_set_new(json, "base_median", number(c->base_median));
    json_object_set_new(json, "new_median", number(c->fresh_median));
    json_object_set_new(json, "basis", json_string(c->reference ? "ratio" : "value"));
    json_object_set_new(json, "reference", text_or_null(c->reference));
    json_object_set_new(json, "reference_code", reference_code(all, c->reference));
    put_estimate(json, j);
    json_object_set_new(json, "by_value", value);
    json_object_set_new(json, "noise", number(j->noise));
    json_object_set_new(json, "p", number(j->test.p));
    json_object_set_new(json, "p_adjusted", number(j->test.adjusted));
    json_object_set_new(json, "verdict", json_string(hm_verdict_name(j->verdict)));
    json_object_set_new(json, "rounds_needed",
                        j->rounds_needed ? json_integer((json_int_t)j->rounds_needed)
                                         : json_null());
    return json;
}

static json_t *cells_json(const struct hm_compare *all) {
    json_t *json = json_array();
    for (size_t i = 0; i < all->count; i++)
        json_array_append_new(json, cell_json(all, &all->cells[i], &all->judged[i]));
    return json;
}

static json_t *families_json(const struct hm_compare *all) {
    json_t *json = json_array();
    for (size_t i = 0; i < all->family_count; i++) {
        const struct hm_compared_family *f = &all->families[i];
        json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:s}", "metric", f->metric->name, "allocator",
                                f->allocator, "collector", f->collector, "cells",
                                (json_int_t)f->cells, "worst", all->cells[f->worst].base->id);
        put_estimate(one, &f->result);
        json_object_set_new(one, "worst_ratio", number(all->judged[f->worst].ratio));
        json_array_append_new(json, one);
    }
    return json;
}

static json_t *drifts_json(const struct hm_compare *all) {
    json_t *json = json_array();
    for (size_t i = 0; i < all->drift_count; i++) {
        const struct hm_drift *d = &all->drifts[i];
        json_t *one = json_pack("{s:s, s:s}", "metric", d->metric->name, "cell", d->cell->id);
        json_object_set_new(one, "ratio", number(d->ratio));
        json_object_set_new(one, "ratio_low", number(d->low));
        json_object_set_new(one, "ratio_high", number(d->high));
        json_array_append_new(json, one);
    }
    return json;
}

static json_t *failed_json(struct hm_compare *all) {
    json_t *json = json_array();
    for (size_t i = 0; i < all->fresh.count; i++) {
        const struct hm_side_cell *cell = &all->fresh.cells[i];
        if (cell->failure)
            json_array_append_new(json, json_pack("{s:s, s:s, s:b}", "cell", cell->id, "failure",
                                                  cell->failure, "ok_in_base",
                                                  hm_compare_broke(all, cell)));
    }
    return json;
}

static json_t *only_json(const struct hm_side *in, struct hm_side *other) {
    json_t *json = json_array();
    for (size_t i = 0; i < in->count; i++)
        if (!hm_side_find(other, in->cells[i].id))
            json_array_append_new(json, json_string(in->cells[i].id));
    return json;
}

void hm_compare_show_json(FILE *out, const struct hm_compare_report *report) {
    struct hm_compare *all = report->all;
    json_t *json =
        json_pack("{s:i, s:o, s:o, s:f, s:I, s:o}", "schema", 1, "base", side_json(&all->base),
                  "new", side_json(&all->fresh), "margin", all->margin, "bootstrap_seed",
                  (json_int_t)all->seed, "noise", number(all->noise));
    json_object_set_new(json, "forced", lines_json(&report->misfits));
    json_object_set_new(json, "notes", lines_json(&report->notes));
    json_object_set_new(json, "tested", json_integer((json_int_t)hm_compare_tested(all)));
    json_object_set_new(json, "comparisons", cells_json(all));
    json_object_set_new(json, "families", families_json(all));
    json_object_set_new(json, "drift", drifts_json(all));
    json_object_set_new(json, "failed", failed_json(all));
    json_object_set_new(json, "base_only", only_json(&all->base, &all->fresh));
    json_object_set_new(json, "new_only", only_json(&all->fresh, &all->base));
    json_object_set_new(json, "exit_status", json_integer(report->status));
    json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fputc('\n', out);
    json_decref(json);
}
