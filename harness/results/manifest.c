/* run.json. */
#include "harness/results/manifest.h"

#include "harness/machine/image.h"
#include "harness/results/samples.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void utc(const char *format, char *out, size_t size) {
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, size, format, &parts);
}

void hm_manifest_new(struct hm_manifest *manifest) {
    char stamp[32];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    utc("%Y%m%dT%H%M%SZ", stamp, sizeof stamp);
    utc("%Y-%m-%dT%H:%M:%SZ", manifest->started_utc, sizeof manifest->started_utc);
    snprintf(manifest->run, sizeof manifest->run, "%s-%04lx", stamp,
             ((unsigned long)t.tv_nsec ^ (unsigned long)getpid() << 4) & 0xffff);
}

static json_t *params_json(const struct hm_param *table, const struct hm_params *params) {
    char text[HM_SPEC_BYTES];
    hm_params_format(table, params, text, sizeof text);
    return json_string(text);
}

static json_t *text_or_null(const char *text) {
    return text && text[0] ? json_string(text) : json_null();
}

/* The id of a file as it is now. */
static json_t *code_of(const char *path) {
    struct hm_image image;
    return path && !hm_image_of(path, &image) ? json_string(image.id) : json_null();
}

/* Which library an arm's malloc is in: the C library where it names none. Parts of heapmark's own are in the
 * program, layers over a library too. */
static void put_code(json_t *json, const struct hm_arm *arm, bool programs) {
    const struct hm_allocator_spec *spec = &arm->spec;
    struct hm_image libc;
    bool system = strcmp(spec->parts[spec->count - 1]->name, "system") == 0;
    bool own = !programs && (spec->count > 1 || (!arm->library[0] && !system));
    json_t *code = json_null();
    if (arm->library[0])
        code = code_of(arm->library);
    else if (system && !hm_image_of_libc(&libc))
        code = json_string(libc.id);
    json_object_set_new(json, "code", code);
    json_object_set_new(json, "own", json_boolean(own));
}

static json_t *arm_json(const struct hm_arm *arm, bool programs) {
    json_t *env = json_array();
    json_t *params = json_array();
    for (unsigned i = 0; i < arm->env_count; i++)
        json_array_append_new(env, json_string(arm->env[i]));
    for (unsigned i = 0; i < arm->spec.count; i++)
        json_array_append_new(params,
                              params_json(arm->spec.parts[i]->params, &arm->spec.params[i]));
    json_t *json =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "label", arm->label, "spec",
                  arm->spec.text, "params", params, "library", text_or_null(arm->library),
                  "build_id", text_or_null(arm->build_id), "env", env, "control", arm->control,
                  "again", arm->again, "missing", text_or_null(arm->missing));
    put_code(json, arm, programs);
    return json;
}

static json_t *arms_json(const struct hm_plan *plan) {
    json_t *all = json_array();
    for (size_t i = 0; i < plan->arm_count; i++)
        json_array_append_new(all, arm_json(plan->arms[i], plan->programs != NULL));
    return all;
}

static json_t *collectors_json(const struct hm_plan *plan) {
    json_t *all = json_array();
    for (size_t i = 0; i < plan->collector_count; i++) {
        const struct hm_collector_arm *c = plan->collectors[i];
        json_array_append_new(all, json_pack("{s:s, s:s, s:o}", "label", c->label, "spec",
                                             c->spec.text, "params",
                                             params_json(c->spec.part->params, &c->spec.params)));
    }
    return all;
}

static json_t *sweep_values_json(const struct hm_sweep *s, const struct hm_sweep_arm *arm) {
    json_t *values = arm->values[0] ? json_array() : json_null();
    for (size_t k = 0; arm->values[0] && k < s->key_count; k++) {
        const struct hm_sweep_value *v = arm->values[k];
        json_t *number = v->is_number ? json_integer(v->number) : json_null();
        json_array_append_new(values, json_pack("{s:s, s:o}", "text", v->text, "number", number));
    }
    return values;
}

static json_t *sweeps_json(const struct hm_plan *plan) {
    json_t *all = json_array();
    for (size_t i = 0; i < plan->sweep_count; i++) {
        const struct hm_sweep *s = plan->sweeps[i];
        json_t *keys = json_array();
        json_t *arms = json_array();
        for (size_t k = 0; k < s->key_count; k++)
            json_array_append_new(keys, json_string(s->keys[k].name));
        for (size_t a = 0; a < s->arm_count; a++)
            json_array_append_new(arms, json_pack("{s:s, s:b, s:o}", "label", s->arms[a].label,
                                                  "unswept", s->arms[a].unswept, "values",
                                                  sweep_values_json(s, &s->arms[a])));
        json_array_append_new(all,
                              json_pack("{s:s, s:s, s:s, s:o, s:o}", "sweep", s->text, "kind",
                                        s->kind, "part", s->unswept, "keys", keys, "arms", arms));
    }
    return all;
}

static json_t *words_json(const struct hm_command_line *line) {
    json_t *words = line->words ? json_array() : json_null();
    for (char **word = line->words; word && *word; word++)
        json_array_append_new(words, json_string(*word));
    return words;
}

static json_t *program_json(const struct hm_program *p) {
    json_t *env = json_array();
    for (unsigned i = 0; i < p->env_count; i++)
        json_array_append_new(env, json_string(p->env[i]));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:i}", "path", text_or_null(p->command.path),
                     "command", words_json(&p->command), "server", words_json(&p->server), "ready",
                     words_json(&p->ready), "input", text_or_null(p->input), "env", env, "expect",
                     p->expect);
}

static json_t *workloads_json(const struct hm_plan *plan) {
    json_t *all = json_array();
    for (size_t i = 0; i < plan->workload_count; i++) {
        const struct hm_workload_arm *w = plan->workloads[i];
        json_t *json =
            json_pack("{s:s, s:s, s:o, s:s, s:s}", "label", w->label, "spec", w->spec.text,
                      "params", params_json(w->spec.part->params, &w->spec.params), "op",
                      w->spec.part->op, "origin", w->spec.part->origin);
        if (plan->programs) { /* one group for each */
            const struct hm_program *program = plan->groups[i]->program;
            json_object_set_new(json, "program", program_json(program));
            json_object_set_new(json, "code", code_of(program->command.path));
        }
        json_array_append_new(all, json);
    }
    return all;
}

static json_t *groups_json(const struct hm_plan *plan) {
    json_t *all = json_array();
    for (size_t i = 0; i < plan->group_count; i++) {
        const struct hm_group *g = plan->groups[i];
        json_t *cpus = json_array();
        for (unsigned t = 0; t < g->threads; t++)
            json_array_append_new(cpus, json_integer(g->cpus[t]));
        json_array_append_new(all, json_pack("{s:s, s:i, s:o, s:b, s:I, s:I}", "workload",
                                             g->workload->label, "threads", (int)g->threads, "cpus",
                                             cpus, "oversubscribed", g->oversubscribed, "units",
                                             (json_int_t)g->units, "warmup_units",
                                             (json_int_t)g->warmup_units));
        json_object_set_new(json_array_get(all, i), "slices", json_integer((json_int_t)g->slices));
        json_object_set_new(json_array_get(all, i), "no_turns", text_or_null(g->no_turns));
        if (plan->looks.count)
            json_object_set_new(json_array_get(all, i), "rounds", json_integer(g->rounds));
        if (g->counted_units)
            json_object_set_new(json_array_get(all, i), "counted_units",
                                json_integer((json_int_t)g->counted_units));
    }
    return all;
}

static void put_output(json_t *json, const struct hm_cell *cell) {
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, cell->output_hash);
    json_object_set_new(json, "output_hash", text_or_null(cell->output_hash ? hash : ""));
    json_object_set_new(json, "output_varies", json_boolean(cell->output_varies));
}

static void put_look(json_t *json, const struct hm_cell *cell) {
    json_object_set_new(json, "verdict", text_or_null(cell->verdict));
    json_object_set_new(json, "decided_after",
                        cell->decided_after ? json_integer(cell->decided_after) : json_null());
}

static json_t *cells_json(const struct hm_plan *plan) {
    json_t *all = json_array();
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct hm_cell *c = &plan->cells[i];
        json_t *ns = isfinite(c->ns_per_unit) ? json_real(c->ns_per_unit) : json_null();
        json_t *json = json_pack("{s:s, s:s, s:o, s:I}", "cell", c->id, "baseline",
                                 plan->cells[c->baseline].id, "unit_ns", ns, "rounds_needed",
                                 (json_int_t)c->rounds_needed);
        json_object_set_new(json, "skip", text_or_null(c->skip));
        json_object_set_new(json, "malloc_from", text_or_null(c->proof));
        json_object_set_new(json, "pinned", text_or_null(c->pinned));
        if (plan->looks.count)
            put_look(json, c);
        json_object_set_new(json, "images", hm_cell_images_json(c));
        if (plan->programs)
            put_output(json, c);
        json_array_append_new(all, json);
    }
    return all;
}

/* How many comparisons of time had been settled by then. */
static int settled_by(const struct hm_plan *plan, unsigned rounds) {
    int settled = 0;
    for (size_t i = 0; i < plan->cell_count; i++)
        settled += plan->cells[i].decided_after && plan->cells[i].decided_after <= rounds;
    return settled;
}

static json_t *looks_json(const struct hm_plan *plan) {
    const struct hm_looks *looks = &plan->looks;
    json_t *all = json_array();
    for (unsigned k = 0; k < looks->count; k++) {
        bool held = k < looks->held;
        json_array_append_new(
            all, json_pack("{s:i, s:f, s:b, s:o}", "rounds", (int)looks->rounds[k], "level",
                           hm_looks_level(looks), "held", held, "decided",
                           held ? json_integer(settled_by(plan, looks->rounds[k])) : json_null()));
    }
    return all;
}

/* How many rounds there are: of a run with looks, in the group that had most. */
static int rounds_of(const struct hm_plan *plan) {
    unsigned most = 0;
    for (size_t g = 0; g < plan->group_count; g++)
        most = plan->groups[g]->rounds > most ? plan->groups[g]->rounds : most;
    return (int)(plan->looks.count ? most : plan->rounds);
}

static json_t *build_json(void) {
    struct hm_image self = {.bytes = 0};
    hm_image_of_self(&self);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:I}", "version", HM_VERSION, "type",
                     HM_BUILD_TYPE, "compiler", HM_COMPILER, "sanitize", HM_SANITIZE, "id",
                     text_or_null(self.id), "program", text_or_null(self.path), "bytes",
                     (json_int_t)self.bytes);
}

static json_t *passes_json(const struct hm_plan *plan) {
    const struct {
        const char *name;
        bool wanted;
    } all[] = {{"time", plan->time_pass},         {"space", plan->space_pass},
               {"latency", plan->latency_pass},   {"instructions", plan->instructions_pass},
               {"counters", plan->counters_pass}, {"warmup", plan->warmup_pass},
               {"idle", plan->idle_s > 0}};
    json_t *passes = json_array();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].wanted)
            json_array_append_new(passes, json_string(all[i].name));
    return passes;
}

json_t *hm_manifest_json(const struct hm_manifest *m) {
    const struct hm_plan *plan = m->plan;
    json_t *arguments = json_array();
    for (int i = 0; i < m->argc; i++)
        json_array_append_new(arguments, json_string(m->argv[i]));
    json_t *json =
        json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:i, s:I, s:s, s:f, s:f, s:O, s:O, s:o}",
                  "schema", HM_SCHEMA, "run", m->run, "state", m->state, "started_utc",
                  m->started_utc, "arguments", arguments, "build", build_json(), "mode", plan->mode,
                  "rounds", rounds_of(plan), "seed", (json_int_t)plan->seed, "pin",
                  hm_pin_name(plan->pin), "margin", plan->margin, "timeout_s", plan->timeout_s,
                  "machine", m->machine, "warnings", m->warnings, "doubt", text_or_null(m->doubt));
    if (!json)
        return NULL;
    json_object_set_new(json, "rate", json_integer((json_int_t)plan->rate));
    json_object_set_new(json, "turn_ms", json_real(plan->turn_ms));
    json_object_set_new(json, "threading", json_string(hm_threading_name(plan->threading)));
    if (plan->looks.count) {
        json_object_set_new(json, "budget_s", json_real(plan->budget_s));
        json_object_set_new(json, "out_of_budget", json_boolean(plan->out_of_budget));
        json_object_set_new(json, "looks", looks_json(plan));
    }
    json_object_set_new(json, "passes", passes_json(plan));
    json_object_set_new(json, "resumed", m->resumed ? json_incref(m->resumed) : json_array());
    json_object_set_new(json, "allocators", arms_json(plan));
    json_object_set_new(json, "collectors", collectors_json(plan));
    json_object_set_new(json, "workloads", workloads_json(plan));
    json_object_set_new(json, "sweeps", sweeps_json(plan));
    json_object_set_new(json, "groups", groups_json(plan));
    json_object_set_new(json, "cells", cells_json(plan));
    json_object_set_new(json, "images", hm_images_json(m->images));
    return json;
}

int hm_manifest_write(const struct hm_manifest *manifest, const struct hm_folder *folder,
                      struct hm_error *error) {
    char path[PATH_MAX];
    json_t *json = hm_manifest_json(manifest);
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    int bad =
        text ? hm_file_replace(hm_folder_file(folder, "run.json", path), text, strlen(text), error)
             : hm_fail(error, ENOMEM, "out of memory for run.json");
    free(text);
    json_decref(json);
    return bad;
}

int hm_manifest_read(json_t **out, const char *folder, struct hm_error *error) {
    char path[PATH_MAX];
    json_error_t what;
    if (snprintf(path, sizeof path, "%s/run.json", folder) >= (int)sizeof path)
        return hm_fail(error, ENAMETOOLONG, "%s: the name is too long", folder);
    json_t *json = json_load_file(path, 0, &what);
    if (!json)
        return hm_fail(error, EINVAL, "%s:%d: %s", path, what.line > 0 ? what.line : 1, what.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return hm_fail(error, EINVAL, "%s: is not the record of a run", path);
    }
    *out = json;
    return 0;
}

static const char *text_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static int same_cells(const json_t *json, const struct hm_plan *plan, struct hm_error *error) {
    const json_t *cells = json_object_get(json, "cells");
    if (json_array_size(cells) != plan->cell_count)
        return hm_fail(error, EINVAL, "the run has %zu cells, this plan has %zu",
                       json_array_size(cells), plan->cell_count);
    for (size_t i = 0; i < plan->cell_count; i++)
        if (strcmp(text_of(json_array_get(cells, i), "cell"), plan->cells[i].id) != 0)
            return hm_fail(error, EINVAL, "cell %zu of the run is %s, of this plan %s", i,
                           text_of(json_array_get(cells, i), "cell"), plan->cells[i].id);
    return 0;
}

static void recall_output(const json_t *json, struct hm_cell *cell) {
    if (sscanf(text_of(json, "output_hash"), "%16" SCNx64, &cell->output_hash) != 1)
        cell->output_hash = 0;
    cell->output_varies = json_is_true(json_object_get(json, "output_varies"));
}

/* The same names may stand for other commands now. */
static int same_programs(const json_t *json, const struct hm_plan *plan, struct hm_error *error) {
    const json_t *workloads = json_object_get(json, "workloads");
    for (size_t i = 0; plan->programs && i < plan->group_count; i++) {
        json_t *now = program_json(plan->groups[i]->program);
        bool same = json_equal(json_object_get(json_array_get(workloads, i), "program"), now);
        json_decref(now);
        if (!same)
            return hm_fail(error, EINVAL, "%s is another command than the run's",
                           plan->groups[i]->program->name);
    }
    return 0;
}

static void recall_group(const json_t *json, struct hm_group *group) {
    json_int_t slices = json_integer_value(json_object_get(json, "slices"));
    group->slices = slices > 0 && slices <= UINT_MAX ? (unsigned)slices : 0;
    snprintf(group->no_turns, sizeof group->no_turns, "%s", text_of(json, "no_turns"));
}

/* A look that the end of a budget moved stays where it was held. */
static int recall_looks(const json_t *json, struct hm_plan *plan, struct hm_error *error) {
    const json_t *looks = json_object_get(json, "looks");
    if (json_array_size(looks) != plan->looks.count)
        return hm_fail(error, EINVAL,
                       "the run has %zu looks (--rounds auto), this plan has %u: it goes on with "
                       "the same options",
                       json_array_size(looks), plan->looks.count);
    for (unsigned k = 0; k < plan->looks.count; k++) {
        json_int_t rounds = json_integer_value(json_object_get(json_array_get(looks, k), "rounds"));
        if (rounds <= (k ? (json_int_t)plan->looks.rounds[k - 1] : 0) ||
            rounds > (json_int_t)plan->looks.rounds[k])
            return hm_fail(error, EINVAL, "run.json: look %u is not one of this plan", k + 1);
        plan->looks.rounds[k] = (unsigned)rounds;
    }
    return 0;
}

int hm_manifest_resume(const json_t *json, struct hm_plan *plan, struct hm_manifest *out,
                       struct hm_error *error) {
    int bad = same_cells(json, plan, error);
    if (!bad)
        bad = recall_looks(json, plan, error);
    if (!bad)
        bad = same_programs(json, plan, error);
    if (bad)
        return bad;
    const json_t *groups = json_object_get(json, "groups");
    for (size_t i = 0; i < plan->group_count; i++) {
        const json_t *group = json_array_get(groups, i);
        json_int_t units = json_integer_value(json_object_get(group, "units"));
        json_int_t warmup = json_integer_value(json_object_get(group, "warmup_units"));
        if (units < 0 || warmup < 0)
            return hm_fail(error, EINVAL, "run.json: negative units of group %zu", i);
        plan->groups[i]->units = (uint64_t)units;
        plan->groups[i]->warmup_units = (uint64_t)warmup;
        recall_group(group, plan->groups[i]);
    }
    for (size_t i = 0; i < plan->cell_count; i++) {
        const json_t *ns =
            json_object_get(json_array_get(json_object_get(json, "cells"), i), "unit_ns");
        plan->cells[i].ns_per_unit = json_is_number(ns) ? json_number_value(ns) : NAN;
        recall_output(json_array_get(json_object_get(json, "cells"), i), &plan->cells[i]);
    }
    snprintf(out->run, sizeof out->run, "%s", text_of(json, "run"));
    snprintf(out->started_utc, sizeof out->started_utc, "%s", text_of(json, "started_utc"));
    return 0;
}
