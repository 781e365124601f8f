/* heapmark report: a run as one HTML file. */
#include "harness/cli/report.h"

#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/page/page.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark report DIR\n\n"
    "Writes DIR/report.html: the verdict, the figures in DIR/plots, all metrics, what\n"
    "was not measured and why, warnings, the method in short, the machine, and how to\n"
    "repeat the run. One file, which needs no network. And DIR/report.md: the verdict\n"
    "alone, for a pull request.\n\n"
    "example:\n"
    "  heapmark report results/latest\n";

int hm_report_write(const char *folder, struct hm_error *error) {
    char parts[PATH_MAX], plots[PATH_MAX];
    if (hm_data_path("page", parts, sizeof parts) || hm_data_path("plots", plots, sizeof plots))
        return hm_fail(error, EIO, "heapmark's own files are missing: page/ and plots/");
    struct hm_page_options options = {.parts_dir = parts, .plots_dir = plots};
    return hm_page_write(folder, &options, error);
}

static int report(const char *folder) {
    struct hm_error error;
    int bad = hm_report_write(folder, &error);
    if (bad)
        fprintf(stderr, "heapmark report: %s\n", error.line);
    else
        printf("%s/report.html\n%s/report.md\n", folder, folder);
    return !bad ? HM_EXIT_OK : bad == EINVAL || bad == ENOENT ? HM_EXIT_USAGE : HM_EXIT_FAILED;
}

static int run(int argc, char **argv) {
    if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        fprintf(stderr, "heapmark report: unknown option '%s'; see 'heapmark report --help'\n",
                argv[1]);
        return HM_EXIT_USAGE;
    }
    if (argc != 2) {
        fputs(argc < 2 ? "heapmark report: which run? give its folder, as results/latest\n"
                       : "heapmark report: one run at a time\n",
              stderr);
        return HM_EXIT_USAGE;
    }
    return report(argv[1]);
}

static const struct hm_command command = {
    .name = "report", .summary = "write a run as one HTML file", .usage = usage, .run = run};
HM_REGISTER(hm_command, command);
