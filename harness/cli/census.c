/* heapmark census: how large blocks are in a workload, and how long they live. */
#include "harness/census/show.h"
#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/cli/refuse.h"
#include "harness/cli/verify_numbers.h"
#include "harness/machine/facts.h"
#include "harness/report/plot.h"
#include "harness/results/folder.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: heapmark census -w WORKLOAD,.. [-c COLLECTOR] [-t N] [--units N]\n"
    "                       [--seed N] [-o DIR] [--format table|json] [--timeout S]\n"
    "                       [--no-plots]\n\n"
    "Runs each workload once on a heap that records every call, over the C library's:\n"
    "how large blocks are, how long they live, how much is live over time, and how\n"
    "many are freed by another thread.\n\n"
    "  -w LIST          workloads with parameters (churn:live=100), or all: every one\n"
    "                   that calls a heap or a collector and needs no parameter\n"
    "  -c COLLECTOR     of object workloads (default: manual, which frees an object\n"
    "                   when the program is done with it; generational where the\n"
    "                   workload needs collections)\n"
    "  -t N             threads (default 1)\n"
    "  --units N        units that each thread does (default: as many as make a\n"
    "                   million allocations and frees, or allocate 2 GiB)\n"
    "  --seed N         of the operations (default 1)\n"
    "  -o DIR           writes census.csv, census_histogram.csv, census_live.csv,\n"
    "                   census.json and plots/; must be new or empty\n"
    "  --format FORMAT  table (default) or json, on stdout\n"
    "  --timeout S      seconds for one workload (default 60)\n"
    "  --no-plots       leaves the figures out\n\n"
    "Exit status: 0 done, 1 a workload failed (all others are kept), 2 wrong usage.\n\n"
    "examples:\n"
    "  heapmark census -w churn,server -t 2\n"
    "  heapmark census -w trees -c refcount --format json\n"
    "  heapmark census -w all -o /tmp/census\n";

enum {
    WORKLOADS_MAX = 256,
    THREADS_MAX = 1024,
};

struct census {
    const char *workloads, *collector, *folder_path;
    uint64_t threads, units, seed;
    double timeout_s;
    bool as_json, no_plots;
    struct hm_census *all[WORKLOADS_MAX];
    size_t count;
    size_t failed;
    char date[32];
    json_t *machine;
    struct hm_folder folder;
    bool has_folder;
};

static const struct option options[] = {
    {"units", required_argument, NULL, 'u'},  {"seed", required_argument, NULL, 's'},
    {"format", required_argument, NULL, 'f'}, {"timeout", required_argument, NULL, 'T'},
    {"no-plots", no_argument, NULL, 'p'},     {NULL, 0, NULL, 0}};

/* ---- Options ---- */

static int take_threads(struct census *c, const char *value, struct hm_error *error) {
    int64_t number;
    if (hm_number_parse(value, 1000, &number) || number < 1 || number > THREADS_MAX)
        return hm_fail(error, EINVAL, "-t %s: must be a whole number, 1 to %d", value, THREADS_MAX);
    c->threads = (uint64_t)number;
    return 0;
}

static int take_format(struct census *c, const char *value, struct hm_error *error) {
    if (strcmp(value, "json") != 0 && strcmp(value, "table") != 0)
        return hm_fail(error, EINVAL, "--format=%s: must be table or json", value);
    c->as_json = strcmp(value, "json") == 0;
    return 0;
}

static int take_option(struct census *c, int option, const char *word, struct hm_error *error) {
    switch (option) {
    case 'w':
        c->workloads = optarg;
        return 0;
    case 'c':
        c->collector = optarg;
        return 0;
    case 'o':
        c->folder_path = optarg;
        return 0;
    case 't':
        return take_threads(c, optarg, error);
    case 'u':
        return hm_verify_take_number("units", optarg, 1, &c->units, error);
    case 's':
        return hm_verify_take_number("seed", optarg, 0, &c->seed, error);
    case 'T':
        return hm_verify_take_timeout(optarg, &c->timeout_s, error);
    case 'f':
        return take_format(c, optarg, error);
    case 'p':
        c->no_plots = true;
        return 0;
    default:
        return hm_refuse_option("census", "wcto", options, word, error);
    }
}

static int parse(struct census *c, int argc, char **argv, struct hm_error *error) {
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "w:c:t:o:", options, NULL)) != -1) {
        int bad = take_option(c, option, argv[optind - 1], error);
        if (bad)
            return bad;
    }
    if (optind < argc)
        return hm_fail(error, EINVAL, "'%s' is one too many; workloads are given with -w",
                       argv[optind]);
    if (!c->workloads || !*c->workloads)
        return hm_fail(error, EINVAL, "which workloads? give them with -w NAME,.. or -w all");
    return 0;
}

/* ---- Workloads ---- */

/* What frees as the program does, or else what can do all that the workload needs. */
static const char *default_collector(const struct hm_workload_spec *workload) {
    const struct hm_collector *manual = hm_collector_find("manual");
    unsigned needs = workload->part->needs ? workload->part->needs(workload->params.values) : 0;
    return manual && !(needs & ~manual->caps) ? "manual" : "generational";
}

static int add_workload(struct census *c, const char *text, struct hm_error *error) {
    if (c->count == WORKLOADS_MAX)
        return hm_fail(error, EINVAL, "more than %d workloads", WORKLOADS_MAX);
    struct hm_census *one = calloc(1, sizeof *one);
    if (!one)
        return hm_fail(error, ENOMEM, "out of memory");
    c->all[c->count++] = one;
    one->threads = (unsigned)c->threads;
    one->asked_units = c->units;
    one->seed = c->seed;
    one->timeout_s = c->timeout_s < 1 ? 1 : (unsigned)c->timeout_s;
    int bad = hm_workload_spec_parse(text, &one->workload, error);
    if (!bad && one->workload.part->kind == HM_WORKLOAD_OBJECT)
        bad =
            hm_collector_spec_parse(c->collector ? c->collector : default_collector(&one->workload),
                                    &one->collector, error);
    return bad ? bad : hm_census_check(one, error);
}

/* One that does not run as it is by default needs a parameter: that is said, and it is left out. */
static int add_if_fit(struct census *c, const char *name, struct hm_error *error) {
    int bad = add_workload(c, name, error);
    if (bad != EINVAL || c->count == WORKLOADS_MAX)
        return bad;
    fprintf(stderr, "heapmark census: left out: %s\n", error->line);
    free(c->all[--c->count]);
    return 0;
}

/* Every workload of which there is something to count, as it is by default. */
static int add_all(struct census *c, struct hm_error *error) {
    const char *names[WORKLOADS_MAX];
    size_t count = hm_part_names("workload", names, WORKLOADS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct hm_workload *w = hm_workload_find(names[i]);
        bool has_blocks = w->kind == HM_WORKLOAD_HEAP || w->kind == HM_WORKLOAD_OBJECT;
        bool fits = !w->max_threads || c->threads <= w->max_threads;
        int bad = has_blocks && fits ? add_if_fit(c, names[i], error) : 0;
        if (bad)
            return bad;
    }
    return 0;
}

static int add_workloads(struct census *c, struct hm_error *error) {
    if (strcmp(c->workloads, "all") == 0)
        return add_all(c, error);
    char *list = strdup(c->workloads);
    int bad = list ? 0 : hm_fail(error, ENOMEM, "out of memory");
    for (char *rest = list, *one; !bad && (one = strsep(&rest, ","));)
        bad = add_workload(c, one, error);
    free(list);
    return bad;
}

/* What failed is said, and taken out of the list. */
static void take_all(struct census *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct hm_error error;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r\033[K%zu of %zu: %s", i + 1, c->count, c->all[i]->workload.text);
        int bad = hm_census_take(c->all[i], &error);
        if (isatty(STDERR_FILENO))
            fputs("\r\033[K", stderr);
        if (bad) {
            fprintf(stderr, "heapmark census: %s\n", error.line);
            free(c->all[i]);
            c->failed++;
        } else {
            c->all[kept++] = c->all[i];
        }
    }
    c->count = kept;
}

/* ---- Files ---- */

typedef void put_fn(FILE *out, const struct hm_census *const *all, size_t count);

static const struct hm_census *const *all_of(const struct census *c) {
    return (const struct hm_census *const *)c->all;
}

static int write_csv(const struct census *c, const char *name, put_fn *put,
                     struct hm_error *error) {
    char path[PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out)
        put(out, all_of(c), c->count);
    int bad = out && fclose(out) == 0
                  ? hm_file_replace(hm_folder_file(&c->folder, name, path), text, size, error)
                  : hm_fail(error, ENOMEM, "out of memory for %s", name);
    free(text);
    return bad;
}

static json_t *json_of(const struct census *c) {
    json_t *json = hm_census_json(all_of(c), c->count);
    json_object_set_new(json, "version", json_string(HM_VERSION));
    json_object_set_new(json, "started_utc", json_string(c->date));
    json_object_set(json, "machine", c->machine);
    return json;
}

static int write_json(const struct census *c, struct hm_error *error) {
    char path[PATH_MAX];
    json_t *json = json_of(c);
    char *text = json_dumps(json, JSON_INDENT(1));
    json_decref(json);
    int bad = text ? hm_file_replace(hm_folder_file(&c->folder, "census.json", path), text,
                                     strlen(text), error)
                   : hm_fail(error, ENOMEM, "out of memory for census.json");
    free(text);
    return bad;
}

/* "churn", and "churn-2" for another one of the same name. */
static void sheet_name(const struct census *c, size_t which, char *out, size_t size) {
    unsigned number = 1;
    const struct hm_workload *part = c->all[which]->workload.part;
    for (size_t i = 0; i < which; i++)
        number += c->all[i]->workload.part == part;
    snprintf(out, size, number > 1 ? "%s-%u" : "%s", part->name, number);
}

static int draw_sheet(const struct census *c, size_t first, size_t last, const char *name,
                      struct hm_error *error) {
    char plots[PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    const char *cpu = json_string_value(json_object_get(c->machine, "cpu_model"));
    const struct hm_plot_options how = {
        .figure = name, .format = HM_PLOT_FILES, .plots_dir = plots};
    int bad = hm_data_path("plots", plots, sizeof plots);
    if (bad)
        return hm_fail(error, bad, "the folder of their scripts is not installed");
    FILE *out = open_memstream(&text, &size);
    if (out) {
        hm_census_put_context(out, all_of(c), c->count, cpu ? cpu : "", c->date);
        fprintf(out, "first = %zu; last = %zu\n", first, last);
    }
    bad = out && fclose(out) == 0
              ? hm_plot_sheet(c->folder.path, "census/census.gp", text, &how, error)
              : hm_fail(error, ENOMEM, "out of memory");
    free(text);
    return bad;
}

/* One for each workload, and one sheet of all. */
static void draw(const struct census *c) {
    struct hm_error error;
    int bad = 0;
    for (size_t i = 0; !bad && i < c->count; i++) {
        char name[64];
        sheet_name(c, i, name, sizeof name);
        bad = draw_sheet(c, i + 1, i + 1, name, &error);
    }
    if (!bad && c->count > 1)
        bad = draw_sheet(c, 1, c->count, "census", &error);
    if (bad)
        fprintf(stderr, "warning: no figures: %s\n", error.line);
}

static int write_files(struct census *c, struct hm_error *error) {
    int bad = write_csv(c, "census.csv", hm_census_put_csv, error);
    if (!bad)
        bad = write_csv(c, "census_histogram.csv", hm_census_put_histogram_csv, error);
    if (!bad)
        bad = write_csv(c, "census_live.csv", hm_census_put_live_csv, error);
    if (!bad)
        bad = write_json(c, error);
    if (!bad && !c->no_plots && c->count)
        draw(c);
    return bad;
}

/* ---- The command ---- */

static int say(int code, const struct hm_error *error) {
    fprintf(stderr, "heapmark census: %s\n", error->line);
    return code;
}

static void put_out(const struct census *c) {
    if (!c->as_json) {
        hm_census_put_table(stdout, all_of(c), c->count);
        return;
    }
    json_t *json = json_of(c);
    json_dumpf(json, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(json);
}

static int carry_out(struct census *c) {
    struct hm_error error = {""};
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(c->date, sizeof c->date, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (c->folder_path && hm_folder_create(&c->folder, c->folder_path, "", &error))
        return say(HM_EXIT_USAGE, &error);
    c->has_folder = c->folder_path;
    take_all(c);
    c->machine = hm_machine_facts();
    if (c->has_folder && write_files(c, &error))
        return say(HM_EXIT_FAILED, &error);
    if (c->count)
        put_out(c);
    return c->failed ? HM_EXIT_FAILED : HM_EXIT_OK;
}

static int run(int argc, char **argv) {
    struct census c = {.threads = 1, .seed = 1, .timeout_s = 60};
    struct hm_error error = {""};
    int bad = parse(&c, argc, argv, &error);
    if (!bad)
        bad = add_workloads(&c, &error);
    int status = bad ? say(bad == ENOMEM ? HM_EXIT_FAILED : HM_EXIT_USAGE, &error) : carry_out(&c);
    for (size_t i = 0; i < c.count; i++)
        free(c.all[i]);
    json_decref(c.machine);
    if (c.has_folder)
        hm_folder_close(&c.folder);
    return status;
}

static const struct hm_command census = {.name = "census",
                                         .summary = "sizes and lifetimes of a workload's blocks",
                                         .usage = usage,
                                         .run = run};
HM_REGISTER(hm_command, census);
