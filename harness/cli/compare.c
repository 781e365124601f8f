/* heapmark compare: what has changed from one run to another one. */
#include "harness/cli/command.h"
#include "harness/cli/refuse.h"
#include "harness/compare/choice.h"
#include "harness/compare/fit.h"
#include "harness/compare/reference.h"
#include "harness/compare/show.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_REGRESSION = 3,
    EXIT_OPEN = 4,
    SEED = 1,
};

static const char usage[] =
    "usage: heapmark compare BASE NEW [--margin 2%] [--drift remove|keep]\n"
    "                        [--reference ARM] [--metrics LIST] [--strict] [--force]\n"
    "                        [--format table|markdown|json|junit]\n\n"
    "Compares two runs, cell by cell: time, processor time, space, latency, counts.\n"
    "BASE and NEW are folders that 'heapmark run' or 'heapmark exec' has left. Times\n"
    "are compared as ratios to the baseline of the same run, where both have the same\n"
    "one, so that a machine that is slower on one day is not taken for a change.\n\n"
    "  --margin M       what is not worth a word, as 2% or 0.02 (default 2%); a\n"
    "                   difference has to exceed what equal arms (A/A) differed by,\n"
    "                   too\n"
    "  --drift WHAT     remove (default): as above; keep: the values as they are\n"
    "  --reference ARM  what ratios are taken to: an allocator or a collector, or\n"
    "                   baseline: those of the runs, even if their code has changed\n"
    "                   (default: they if it has not, else an arm that is the same)\n"
    "  --metrics LIST   only these: time, space, latency, instructions, counters, or\n"
    "                   names as in 'heapmark list metrics', any of them\n"
    "  --format FORMAT  table (default), markdown, json or junit, on stdout\n"
    "  --strict         exit status 4 when a comparison is not settled, or when NEW\n"
    "                   lacks cells or metrics that BASE has\n"
    "  --force          compare runs of other machines, work or versions; the output\n"
    "                   says how they differ\n\n"
    "Exit status: 0 no regression; 1 an error, or cells failed in NEW that were\n"
    "measured in BASE; 2 wrong usage, or runs that can not be compared; 3 a\n"
    "regression; 4 nothing to say at this number of rounds (--strict).\n\n"
    "examples:\n"
    "  heapmark compare results/baselines/main results/latest\n"
    "  heapmark compare base new --margin 5% --format markdown\n"
    "  heapmark compare base new --metrics footprint_bytes,latency --strict\n";

static const struct {
    const char *word;
    hm_compare_show_fn *show;
} formats[] = {{"table", hm_compare_show_table},
               {"markdown", hm_compare_show_markdown},
               {"json", hm_compare_show_json},
               {"junit", hm_compare_show_junit}};

struct options {
    double margin;
    const char *reference;
    hm_compare_show_fn *show;
    bool keep_drift, strict, force;
    bool *chosen; /* of each metric; NULL: the usual ones */
};

static const struct option long_options[] = {
    {"margin", required_argument, NULL, 'm'},  {"drift", required_argument, NULL, 'd'},
    {"format", required_argument, NULL, 'f'},  {"reference", required_argument, NULL, 'r'},
    {"metrics", required_argument, NULL, 'w'}, {"strict", no_argument, NULL, 's'},
    {"force", no_argument, NULL, 'F'},         {NULL, 0, NULL, 0}};

static int take_margin(struct options *o, const char *value, struct hm_error *error) {
    char *end;
    double margin = strtod(value, &end);
    if (end != value && strcmp(end, "%") == 0)
        margin /= 100;
    else if (*end)
        end = (char *)value;
    if (end == value || !strchr("0123456789.", *value) || !(margin >= 0 && margin < 1))
        return hm_fail(error, EINVAL, "--margin=%s: must be from 0 to below 1, as 0.02 or 2%%",
                       value);
    o->margin = margin;
    return 0;
}

static int take_format(struct options *o, const char *value, struct hm_error *error) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].word, value) == 0) {
            o->show = formats[i].show;
            return 0;
        }
    return hm_fail(error, EINVAL, "--format=%s: must be table, markdown, json or junit", value);
}

/* Given twice, it names more. */
static int take_metrics(struct options *o, const char *list, struct hm_error *error) {
    size_t count;
    hm_metrics(&count);
    if (!o->chosen && !(o->chosen = calloc(count, sizeof *o->chosen)))
        return hm_fail(error, ENOMEM, "out of memory");
    return hm_choice_parse(o->chosen, list, error);
}

static int take_option(struct options *o, int option, const char *word, struct hm_error *error) {
    switch (option) {
    case 'm':
        return take_margin(o, optarg, error);
    case 'd':
        o->keep_drift = strcmp(optarg, "keep") == 0;
        if (!o->keep_drift && strcmp(optarg, "remove") != 0)
            return hm_fail(error, EINVAL, "--drift=%s: must be remove or keep", optarg);
        return 0;
    case 'f':
        return take_format(o, optarg, error);
    case 'r':
        o->reference = optarg;
        return 0;
    case 'w':
        return take_metrics(o, optarg, error);
    case 's':
        o->strict = true;
        return 0;
    case 'F':
        o->force = true;
        return 0;
    default:
        return hm_refuse_option("compare", "", long_options, word, error);
    }
}

static int parse(struct options *o, int argc, char **argv, struct hm_error *error) {
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int bad = take_option(o, option, argv[optind - 1], error);
        if (bad)
            return bad;
    }
    if (argc - optind < 2)
        return hm_fail(error, EINVAL, "which runs? give two folders, BASE and NEW");
    if (argc - optind > 2)
        return hm_fail(error, EINVAL, "two runs at a time: '%s' is one too many", argv[optind + 2]);
    return 0;
}

static void keep_line(void *arg, const char *line) {
    hm_lines_add(arg, line);
}

/* Nothing in common is no comparison, forced or not. */
static int read_both(struct hm_compare_report *report, char **folders, bool force,
                     struct hm_error *error) {
    struct hm_compare *all = report->all;
    int bad = hm_side_read(&all->base, folders[0], error);
    if (!bad)
        bad = hm_side_read(&all->fresh, folders[1], error);
    if (bad)
        return bad;
    if (hm_fit_check(&all->base, &all->fresh, keep_line, &report->misfits) && !force)
        return hm_fail(error, EINVAL, "not comparable: %s; --force compares all the same",
                       report->misfits.count ? report->misfits.at[0] : "they differ");
    hm_fit_notes(&all->base, &all->fresh, keep_line, &report->notes);
    for (size_t i = 0; i < all->base.count; i++)
        if (hm_side_find(&all->fresh, all->base.cells[i].id))
            return 0;
    return hm_fail(error, EINVAL, "the runs have no cell in common");
}

static int status_of(struct hm_compare *all, bool strict) {
    for (size_t i = 0; i < all->fresh.count; i++)
        if (hm_compare_broke(all, &all->fresh.cells[i]))
            return HM_EXIT_FAILED;
    if (hm_compare_count(all, HM_SLOWER))
        return EXIT_REGRESSION;
    bool open = !all->count || hm_compare_count(all, HM_INCONCLUSIVE) || !hm_compare_is_whole(all);
    return strict && open ? EXIT_OPEN : HM_EXIT_OK;
}

static int compare_runs(struct hm_compare_report *report, char **folders,
                        const struct options *options) {
    struct hm_error error;
    int bad = read_both(report, folders, options->force, &error);
    if (!bad && !hm_reference_is_known(report->all))
        bad = hm_fail(&error, EINVAL, "--reference=%s: no arm of both runs has that name",
                      options->reference);
    if (!bad)
        bad = hm_compare_judge(report->all, &error);
    if (!bad)
        hm_reference_notes(report->all, keep_line, &report->notes);
    if (!bad && report->all->chosen && !report->all->count && !report->all->drift_count)
        bad = hm_fail(&error, EINVAL, "--metrics: the runs have none of these in common");
    if (bad) {
        fprintf(stderr, "heapmark compare: %s\n", error.line);
        return bad == ENOMEM || bad == EIO ? HM_EXIT_FAILED : HM_EXIT_USAGE;
    }
    report->status = status_of(report->all, options->strict);
    options->show(stdout, report);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "heapmark compare: stdout: %s\n", strerror(errno));
        return HM_EXIT_FAILED;
    }
    return report->status;
}

static int run(int argc, char **argv) {
    struct hm_error error;
    struct options options = {.margin = 0.02, .show = hm_compare_show_table};
    if (parse(&options, argc, argv, &error)) {
        fprintf(stderr, "heapmark compare: %s\n", error.line);
        free(options.chosen);
        return HM_EXIT_USAGE;
    }
    struct hm_compare all = {.base = {.name = "BASE"},
                             .fresh = {.name = "NEW"},
                             .margin = options.margin,
                             .seed = SEED,
                             .keep_drift = options.keep_drift,
                             .reference = options.reference,
                             .chosen = options.chosen};
    struct hm_compare_report report = {.all = &all};
    int status = compare_runs(&report, argv + optind, &options);
    hm_lines_free(&report.misfits);
    hm_lines_free(&report.notes);
    hm_compare_free(&all);
    free(options.chosen);
    return status;
}

static const struct hm_command compare = {.name = "compare",
                                          .summary = "what has changed from one run to another",
                                          .usage = usage,
                                          .run = run};
HM_REGISTER(hm_command, compare);
