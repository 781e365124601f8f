/* heapmark list: what there is to choose from. */
#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/cli/list_markdown.h"
#include "harness/machine/elf.h"
#include "harness/plan/spec.h"
#include "harness/report/plot.h"
#include "harness/results/metrics.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark list [allocators|collectors|workloads|figures|metrics]\n"
    "                     [--format table|json|markdown]\n\n"
    "Names what a run can be made of, with every parameter, its default and range.\n"
    "Without a kind, all of them.\n\n"
    "  --format FORMAT   table (default), json, or markdown (docs/workloads.md)\n\n"
    "examples:\n"
    "  heapmark list workloads\n"
    "  heapmark list allocators --format json\n";

static json_t *default_of(const struct hm_param *p) {
    const char *word = p->kind == HM_PARAM_CHOICE ? p->choices : "";
    if (p->kind != HM_PARAM_CHOICE)
        return p->kind == HM_PARAM_TEXT ? json_string("") : json_integer(p->initial);
    for (int64_t i = 0; i < p->initial && strchr(word, '|'); i++)
        word = strchr(word, '|') + 1;
    return json_stringn(word, strcspn(word, "|"));
}

static json_t *param_json(const struct hm_param *p) {
    json_t *json = json_pack("{s:s, s:s, s:s, s:o}", "name", p->name, "unit", p->unit, "help",
                             p->help, "default", default_of(p));
    if (p->kind == HM_PARAM_CHOICE) {
        json_object_set_new(json, "choices", json_string(p->choices));
    } else if (p->kind != HM_PARAM_TEXT) {
        json_object_set_new(json, "min", json_integer(p->min));
        json_object_set_new(json, "max", json_integer(p->max));
    }
    return json;
}

static json_t *part_json(const char *name, const char *summary, const char *origin,
                         const struct hm_param *params) {
    json_t *list = json_array();
    for (; params && params->name; params++)
        json_array_append_new(list, param_json(params));
    return json_pack("{s:s, s:s, s:s, s:o}", "name", name, "summary", summary, "origin",
                     origin ? origin : "", "params", list);
}

/* What an allocator can and can not do, in words. */
static json_t *caps_json(unsigned caps) {
    static const struct {
        unsigned cap;
        const char *word;
    } words[] = {{HM_CAP_THREADS, "threads"},
                 {HM_CAP_BOUNDED, "bounded"},
                 {HM_CAP_SHARED, "shared-backing"},
                 {HM_CAP_RESET, "reset"},
                 {HM_CAP_WALK, "walk"},
                 {HM_CAP_WALK_ARENAS, "walk-arenas"},
                 {HM_CAP_LAYER, "layer"},
                 {HM_CAP_CONTROL, "control"},
                 {HM_CAP_LOCKS, "locks"},
                 {HM_CAP_NO_USABLE, "no-usable-size"},
                 {HM_CAP_NO_ALIGNED, "no-aligned-alloc"},
                 {HM_CAP_NO_REUSE, "no-reuse"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (caps & words[i].cap)
            json_array_append_new(list, json_string(words[i].word));
    return list;
}

static json_t *allocators_json(void) {
    size_t count;
    json_t *all = json_array();
    const struct hm_allocator *const *parts = hm_allocators(&count);
    for (size_t i = 0; i < count; i++) {
        const struct hm_allocator *a = parts[i];
        char path[PATH_MAX] = "";
        const char *library = a->library ? a->library : a->needs;
        bool missing = library && hm_library_find(library, path, sizeof path);
        json_t *json = part_json(a->name, a->summary, a->origin, a->params);
        json_object_set_new(json, "capabilities", caps_json(a->caps));
        if (library)
            json_object_set_new(json, "library", json_string(missing ? library : path));
        if (missing)
            json_object_set_new(json, "missing", json_string(a->package));
        json_array_append_new(all, json);
    }
    return all;
}

static json_t *collectors_json(void) {
    size_t count;
    json_t *all = json_array();
    const struct hm_collector *const *parts = hm_collectors(&count);
    for (size_t i = 0; i < count; i++) {
        const struct hm_collector *c = parts[i];
        char path[PATH_MAX] = "";
        if (c->variant_of)
            continue;
        bool missing = !c->open || (c->needs && hm_library_find(c->needs, path, sizeof path));
        json_t *json = part_json(c->name, c->summary, c->origin, c->params);
        if (c->needs)
            json_object_set_new(json, "library", json_string(*path ? path : c->needs));
        if (missing)
            json_object_set_new(json, "missing", json_string(c->package));
        json_array_append_new(all, json);
    }
    return all;
}

static const char *kind_of(const struct hm_workload *w) {
    static const char *const names[] = {[HM_WORKLOAD_HEAP] = "heap",
                                        [HM_WORKLOAD_OBJECT] = "object",
                                        [HM_WORKLOAD_THREAD] = "thread",
                                        [HM_WORKLOAD_PROCESS] = "process"};
    return names[w->kind];
}

/* What only this workload can know. Its metric says the same. */
static json_t *own_figures_json(const struct hm_figure *figure) {
    json_t *list = json_array();
    for (; figure && figure->name; figure++) {
        const struct hm_metric *metric = hm_metric_find(figure->name);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", figure->name, "unit",
                                              figure->unit, "help", figure->help, "better",
                                              hm_better_name(metric->better)));
    }
    return list;
}

static json_t *workloads_json(void) {
    const char *names[256];
    size_t count = hm_part_names("workload", names, 256);
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct hm_workload *w = hm_workload_find(names[i]);
        json_t *json = part_json(w->name, w->summary, w->origin, w->params);
        json_object_set_new(json, "kind", json_string(kind_of(w)));
        json_object_set_new(json, "stresses", json_string(w->stresses));
        json_object_set_new(json, "op", json_string(w->op));
        json_object_set_new(json, "max_threads", json_integer(w->max_threads)); /* 0: any number */
        json_object_set_new(json, "figures", own_figures_json(w->figures));
        json_array_append_new(all, json);
    }
    return all;
}

static void take_figure(void *arg, const char *name, const char *title) {
    json_array_append_new(arg, part_json(name, title, "", NULL));
}

static json_t *figures_json(void) {
    char plots[PATH_MAX];
    json_t *all = json_array();
    if (hm_data_path("plots", plots, sizeof plots) == 0)
        hm_plot_list(plots, take_figure, all);
    return all;
}

static json_t *metrics_json(void) {
    size_t count;
    json_t *all = json_array();
    const struct hm_metric *metrics = hm_metrics(&count);
    for (size_t i = 0; i < count; i++) {
        json_t *json = part_json(metrics[i].name, metrics[i].summary, "", NULL);
        json_object_set_new(json, "unit", json_string(metrics[i].unit));
        json_object_set_new(json, "better", json_string(hm_better_name(metrics[i].better)));
        json_array_append_new(all, json);
    }
    return all;
}

static const struct kind {
    const char *name;
    json_t *(*json)(void);
} kinds[] = {{"allocators", allocators_json},
             {"collectors", collectors_json},
             {"workloads", workloads_json},
             {"figures", figures_json},
             {"metrics", metrics_json}};

enum {
    KINDS = sizeof kinds / sizeof *kinds,
    WIDTH = 78,
};

/* Print words between a left margin and the page's width. The cursor stands at `column`. */
static void put_wrapped(const char *text, int column, int margin) {
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column + 1 + word > WIDTH && column > margin) {
            printf("\n%*s", margin, "");
            column = margin;
        }
        column += printf("%s%.*s", column > margin ? " " : "", word, text);
        text += word + (text[word] == ' ');
    }
    putchar('\n');
}

static void put_param(const json_t *p) {
    char text[512];
    char initial[64] = "";
    const json_t *value = json_object_get(p, "default");
    const char *choices = json_string_value(json_object_get(p, "choices"));
    const char *unit = json_string_value(json_object_get(p, "unit"));
    if (json_is_integer(value))
        snprintf(initial, sizeof initial, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(initial, sizeof initial, "%s", json_string_value(value));
    int column = printf("      %s=%s", json_string_value(json_object_get(p, "name")), initial);
    if (choices)
        snprintf(text, sizeof text, "%s: %s", choices,
                 json_string_value(json_object_get(p, "help")));
    else if (json_is_integer(value))
        snprintf(text, sizeof text, "%s (%" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT "%s%s)",
                 json_string_value(json_object_get(p, "help")),
                 json_integer_value(json_object_get(p, "min")),
                 json_integer_value(json_object_get(p, "max")), *unit ? " " : "", unit);
    else
        snprintf(text, sizeof text, "%s", json_string_value(json_object_get(p, "help")));
    if (column < 24)
        column += printf("%*s", 24 - column, "");
    put_wrapped(text, column, 24);
}

static void put_labelled(const json_t *part, const char *key) {
    const char *text = json_string_value(json_object_get(part, key));
    if (text && *text) {
        printf("    %s:", key);
        put_wrapped(text, 5 + (int)strlen(key), 6);
    }
}

static void put_caps(const json_t *part) {
    char text[256] = "";
    size_t i;
    const json_t *word;
    json_array_foreach(json_object_get(part, "capabilities"), i, word) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", json_string_value(word));
    }
    if (*text) {
        printf("    capabilities:");
        put_wrapped(text, 17, 6);
    }
}

static void put_own_figures(const json_t *part) {
    size_t i;
    const json_t *figure;
    json_array_foreach(json_object_get(part, "figures"), i, figure) {
        char text[512];
        snprintf(text, sizeof text, "%s, %s: %s",
                 json_string_value(json_object_get(figure, "name")),
                 json_string_value(json_object_get(figure, "unit")),
                 json_string_value(json_object_get(figure, "help")));
        printf("    figure:");
        put_wrapped(text, 11, 6);
    }
}

static void put_part(const json_t *part) {
    static const char *const keys[] = {"kind", "stresses", "op",     "origin",
                                       "unit", "better",   "library"};
    json_int_t most = json_integer_value(json_object_get(part, "max_threads"));
    size_t i;
    const json_t *param;
    const char *missing = json_string_value(json_object_get(part, "missing"));
    int column = printf("  %-16s", json_string_value(json_object_get(part, "name")));
    put_wrapped(json_string_value(json_object_get(part, "summary")), column, 18);
    if (missing)
        printf("    not installed: package %s\n", missing);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        put_labelled(part, keys[k]);
    put_caps(part);
    if (most)
        printf("    threads: at most %d\n", (int)most);
    put_own_figures(part);
    json_array_foreach(json_object_get(part, "params"), i, param) {
        put_param(param);
    }
}

static void put_table(const json_t *all) {
    const char *kind;
    const json_t *parts;
    bool first = true;
    json_object_foreach((json_t *)all, kind, parts) {
        size_t i;
        const json_t *part;
        printf("%s%s\n", first ? "" : "\n", kind);
        first = false;
        json_array_foreach(parts, i, part) {
            put_part(part);
        }
    }
}

static int usage_error(const char *format, const char *word) {
    fputs("heapmark list: ", stderr);
    fprintf(stderr, format, word);
    fputc('\n', stderr);
    return HM_EXIT_USAGE;
}

static int unknown_kind(const char *word) {
    const char *names[KINDS];
    for (size_t i = 0; i < KINDS; i++)
        names[i] = kinds[i].name;
    const char *near = hm_nearest(word, names, KINDS);
    fprintf(stderr, "heapmark list: unknown kind '%s'; ", word);
    if (near)
        fprintf(stderr, "did you mean '%s'?\n", near);
    else
        fputs("there are allocators, collectors, workloads, figures, metrics\n", stderr);
    return HM_EXIT_USAGE;
}

static int list_all(const char *wanted, const char *format) {
    json_t *all = json_object();
    for (size_t i = 0; i < KINDS; i++)
        if (!wanted || strcmp(kinds[i].name, wanted) == 0)
            json_object_set_new(all, kinds[i].name, kinds[i].json());
    if (!json_object_size(all)) {
        json_decref(all);
        return unknown_kind(wanted);
    }
    if (strcmp(format, "json") == 0) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (strcmp(format, "markdown") == 0) {
        hm_list_markdown(stdout, all);
    } else {
        put_table(all);
    }
    json_decref(all);
    return HM_EXIT_OK;
}

static int run(int argc, char **argv) {
    static const struct option options[] = {{"format", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    const char *format = "table";
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'f')
            return usage_error("unknown option '%s'; see 'heapmark list --help'", argv[optind - 1]);
        if (strcmp(optarg, "json") != 0 && strcmp(optarg, "table") != 0 &&
            strcmp(optarg, "markdown") != 0)
            return usage_error("--format=%s: must be table, json or markdown", optarg);
        format = optarg;
    }
    if (argc - optind > 1)
        return usage_error("one kind at a time: '%s' is one too many", argv[optind + 1]);
    return list_all(argv[optind], format);
}

static const struct hm_command list = {
    .name = "list", .summary = "name the parts, figures and metrics", .usage = usage, .run = run};
HM_REGISTER(hm_command, list);
