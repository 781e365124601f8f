/* heapmark plot: draws the figures of a run. */
#include "harness/report/plot.h"
#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/plan/registry.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIGURES_MAX = 64,
};

static const char usage[] =
    "usage: heapmark plot DIR [--figure NAME] [--format svg|png|term]\n\n"
    "Draws the figures of the run in DIR into DIR/plots, with gnuplot. A figure that\n"
    "the run has no data for is left out, and said so.\n\n"
    "  --figure NAME     this figure only; 'heapmark list figures' names them\n"
    "  --format FORMAT   svg, png, or term: as text to stdout (default: svg and png)\n\n"
    "examples:\n"
    "  heapmark plot results/latest\n"
    "  heapmark plot results/latest --figure throughput --format term\n";

/* The names of all figures, for an unknown one. */
struct names {
    char *at[FIGURES_MAX];
    size_t count;
};

static void take_name(void *arg, const char *name, const char *title) {
    struct names *names = arg;
    (void)title;
    char *copy = names->count < FIGURES_MAX ? strdup(name) : NULL;
    if (copy)
        names->at[names->count++] = copy;
}

static int usage_error(const char *format, const char *word) {
    fputs("heapmark plot: ", stderr);
    fprintf(stderr, format, word);
    fputc('\n', stderr);
    return HM_EXIT_USAGE;
}

static int unknown_figure(const struct names *names, const char *figure) {
    const char *near = hm_nearest(figure, (const char *const *)names->at, names->count);
    fprintf(stderr, "heapmark plot: unknown figure '%s'; ", figure);
    if (near)
        fprintf(stderr, "did you mean '%s'?\n", near);
    else
        fputs("'heapmark list figures' names them\n", stderr);
    return HM_EXIT_USAGE;
}

static int check_figure(const struct hm_plot_options *options) {
    struct names names = {.count = 0};
    bool known = false;
    hm_plot_list(options->plots_dir, take_name, &names);
    for (size_t i = 0; i < names.count; i++)
        known |= strcmp(names.at[i], options->figure) == 0;
    int status = known ? HM_EXIT_OK : unknown_figure(&names, options->figure);
    for (size_t i = 0; i < names.count; i++)
        free(names.at[i]);
    return status;
}

static void tell(void *arg, const char *figure, const char *path, const char *reason) {
    (void)arg;
    if (path)
        puts(path);
    else
        fprintf(stderr, "no figure %s: %s\n", figure, reason);
}

static int parse_format(const char *word, enum hm_plot_format *out) {
    static const struct {
        const char *word;
        enum hm_plot_format format;
    } formats[] = {{"svg", HM_PLOT_SVG}, {"png", HM_PLOT_PNG}, {"term", HM_PLOT_TERM}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].word, word) == 0) {
            *out = formats[i].format;
            return 0;
        }
    return EINVAL;
}

static int draw(const char *run_dir, struct hm_plot_options options) {
    struct hm_error error;
    char plots[PATH_MAX];
    if (hm_data_path("plots", plots, sizeof plots)) {
        fputs("heapmark plot: the scripts of the figures are missing: plots/\n", stderr);
        return HM_EXIT_FAILED;
    }
    options.plots_dir = plots;
    if (options.figure && check_figure(&options) != HM_EXIT_OK)
        return HM_EXIT_USAGE;
    int bad = hm_plot_run(run_dir, &options, &error);
    if (bad)
        fprintf(stderr, "heapmark plot: %s\n", error.line);
    if (!bad)
        return HM_EXIT_OK;
    return bad == EINVAL ? HM_EXIT_USAGE : HM_EXIT_FAILED;
}

static int run(int argc, char **argv) {
    static const struct option long_options[] = {{"figure", required_argument, NULL, 'g'},
                                                 {"format", required_argument, NULL, 'f'},
                                                 {NULL, 0, NULL, 0}};
    struct hm_plot_options options = {.format = HM_PLOT_FILES,
                                      .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
                                      .tell = tell};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == 'g')
            options.figure = optarg;
        else if (option == ':')
            return usage_error("'%s' needs a value", argv[optind - 1]);
        else if (option != 'f')
            return usage_error("unknown option '%s'; see 'heapmark plot --help'", argv[optind - 1]);
        else if (parse_format(optarg, &options.format))
            return usage_error("--format=%s: must be svg, png or term", optarg);
    }
    if (argc - optind < 1)
        return usage_error("which run? give its folder, as %s", "results/latest");
    if (argc - optind > 1)
        return usage_error("one run at a time: '%s' is one too many", argv[optind + 1]);
    return draw(argv[optind], options);
}

static const struct hm_command plot = {
    .name = "plot", .summary = "draw the figures of a run", .usage = usage, .run = run};
HM_REGISTER(hm_command, plot);
