/* heapmark exec: measures whole programs under each allocator. */
#include "harness/cli/carry.h"
#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/exec/program.h"
#include "harness/exec/suite.h"
#include "harness/machine/preload.h"
#include "harness/plan/registry.h"
#include "harness/plan/spec.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark exec -a ALLOC,.. [OPTIONS] -- COMMAND..\n"
    "       heapmark exec [-a ALLOC,..] --suite programs|FILE [OPTIONS]\n\n"
    "Measures a whole program under each allocator, in rounds of random order: wall\n"
    "time, processor time, peak memory, page faults. The allocator is preloaded, and\n"
    "every process of the program proves that it runs on it. Leaves samples.csv,\n"
    "stats.csv, run.json and plots/, as heapmark run does.\n\n"
    "  -a LIST          allocators: system, jemalloc, mimalloc, tcmalloc, tbbmalloc,\n"
    "                   scudo, pool, debug+pool, traced+pool, or the path of any\n"
    "                   shared library; the first is the baseline\n"
    "  --suite SUITE    programs (lua, python3, sqlite3, redis, gcc, gnuplot: those\n"
    "                   that are installed), or the file of a suite of your own\n"
    "  --only LIST      of the suite, these programs\n"
    "  -o DIR           where the results go (default: results/DATE, with a link\n"
    "                   results/latest); must be new or empty\n"
    "  --rounds N       number of rounds (default 12), or auto: until each comparison\n"
    "                   is decided or the budget is spent\n"
    "  --budget TIME    of --rounds auto: 90s, 10m (default), 2h\n"
    "  --quick          6 rounds, --rigorous 30; auto: at most 27, 141 (default 60)\n"
    "  --pin POLICY     none (default: all CPUs) or core (the program on one of them)\n"
    "  --input FILE     standard input of the command (default: empty)\n"
    "  --label NAME     the command's name in tables (default: its file's)\n"
    "  --expect N       the exit status of a good run (default 0)\n"
    "  --children WHICH same (default): all processes run on the allocator, or any\n"
    "  --same-output    the command must write the same in each run\n"
    "  --keep-output    keep what it writes, in DIR/output/\n"
    "  --no-output      do not look at what it writes\n"
    "  --margin P       differences below P percent are not told (default 2%)\n"
    "  --baseline NAME  the allocator that the others are compared with\n"
    "  --seed N         of the order (default 1)\n"
    "  --timeout S      seconds for one run of the program (default 60)\n"
    "  --require-quiet  do not start where the machine is bad (heapmark doctor), and\n"
    "                   mark the run when it gets worse meanwhile\n"
    "  --resume DIR     go on with a run that was stopped, with the same options,\n"
    "                   builds and machine; --force: whatever has changed (recorded)\n"
    "  --dry-run        print the cells, and stop\n"
    "  --no-plots       leave the figures out\n\n"
    "Exit status: 0 done, 1 cells failed (all others are kept), 2 wrong usage or\n"
    "bad input, 130 and 143 interrupted.\n\n"
    "examples:\n"
    "  heapmark exec -a system,jemalloc,./libmine.so -- lua5.4 program.lua\n"
    "  heapmark exec --suite programs --quick\n";

/* Long options that set a key of the request carry its name. */
static const struct option options[] = {
    {"quick", no_argument, NULL, 'q'},          {"rigorous", no_argument, NULL, 'r'},
    {"dry-run", no_argument, NULL, 'n'},        {"no-plots", no_argument, NULL, 'p'},
    {"require-quiet", no_argument, NULL, 'Q'},  {"resume", required_argument, NULL, 'R'},
    {"suite", required_argument, NULL, 'S'},    {"only", required_argument, NULL, 'O'},
    {"input", required_argument, NULL, 'i'},    {"label", required_argument, NULL, 'l'},
    {"expect", required_argument, NULL, 'e'},   {"children", required_argument, NULL, 'c'},
    {"same-output", no_argument, NULL, 's'},    {"keep-output", no_argument, NULL, 'K'},
    {"no-output", no_argument, NULL, 'N'},      {"rounds", required_argument, NULL, 'k'},
    {"pin", required_argument, NULL, 'k'},      {"margin", required_argument, NULL, 'k'},
    {"baseline", required_argument, NULL, 'k'}, {"seed", required_argument, NULL, 'k'},
    {"timeout", required_argument, NULL, 'k'},  {"budget", required_argument, NULL, 'k'},
    {"force", no_argument, NULL, 'F'},          {NULL, 0, NULL, 0}};

struct wish {
    struct hm_request request;
    struct hm_programs programs;
    struct hm_carry how;
    const char *allocators, *suite, *only, *input, *label;
    int expect;
    bool expects;
};

static int bad_option(char **argv, struct hm_error *error) {
    const char *names[sizeof options / sizeof *options];
    size_t count = 0;
    const char *word = argv[optind - 1];
    for (; options[count].name; count++)
        names[count] = options[count].name;
    const char *near = strncmp(word, "--", 2) == 0 ? hm_nearest(word + 2, names, count) : NULL;
    if ((near && strcmp(near, word + 2) == 0) || (optopt && strchr("ao", optopt)))
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    if (near)
        return hm_fail(error, EINVAL, "unknown option '%s'; did you mean '--%s'?", word, near);
    return hm_fail(error, EINVAL, "unknown option '%s'; a command stands behind --", word);
}

static int take_status(struct wish *w, const char *value, struct hm_error *error) {
    int64_t n;
    if (hm_number_parse(value, 1000, &n) || n < 0 || n > 255)
        return hm_fail(error, EINVAL, "expect=%s: must be an exit status from 0 to 255", value);
    w->expect = (int)n;
    w->expects = true;
    return 0;
}

static int take_children(struct wish *w, const char *value, struct hm_error *error) {
    w->programs.any_child = strcmp(value, "any") == 0;
    return w->programs.any_child || strcmp(value, "same") == 0
               ? 0
               : hm_fail(error, EINVAL, "children=%s: must be one of same, any", value);
}

static int take_key(struct wish *w, const char *key, const char *value, struct hm_error *error) {
    if (strcmp(key, "pin") == 0 && strcmp(value, "none") != 0 && strcmp(value, "core") != 0)
        return hm_fail(error, EINVAL,
                       "pin=%s: a program takes core (all of it on one core) or none", value);
    return hm_request_set(&w->request, key, value, error);
}

static int take_flag(struct wish *w, int option) {
    struct hm_programs *p = &w->programs;
    bool *const flag = option == 'n'   ? &w->how.dry_run
                       : option == 'p' ? &w->how.no_plots
                       : option == 'Q' ? &w->how.require_quiet
                       : option == 'F' ? &w->how.force
                       : option == 's' ? &p->same_output
                       : option == 'K' ? &p->keep_output
                       : option == 'N' ? &p->no_output
                                       : NULL;
    if (flag)
        *flag = true;
    return flag ? 0 : EINVAL;
}

static int take_option(struct wish *w, int option, int index, char **argv, struct hm_error *error) {
    const char **text = option == 'a'   ? &w->allocators
                        : option == 'o' ? &w->how.folder
                        : option == 'R' ? &w->how.resume
                        : option == 'S' ? &w->suite
                        : option == 'O' ? &w->only
                        : option == 'i' ? &w->input
                        : option == 'l' ? &w->label
                                        : NULL;
    if (text) {
        *text = optarg;
        return 0;
    }
    if (option == 'q' || option == 'r')
        return hm_request_set(&w->request, "mode", option == 'q' ? "quick" : "rigorous", error);
    if (option == 'e')
        return take_status(w, optarg, error);
    if (option == 'c')
        return take_children(w, optarg, error);
    if (option == 'k')
        return take_key(w, options[index].name, optarg, error);
    return take_flag(w, option) ? bad_option(argv, error) : 0;
}

/* The words behind `--`. The `--` itself has to be there: an option of the command is not one of ours. */
static int take_command(struct wish *w, int argc, char **argv, struct hm_error *error) {
    if (optind < argc && (optind < 2 || strcmp(argv[optind - 1], "--") != 0))
        return hm_fail(error, EINVAL, "'%s': the command stands behind --", argv[optind]);
    if (w->suite)
        return optind < argc
                   ? hm_fail(error, EINVAL, "--suite has commands of its own: '%s' is one too many",
                             argv[optind])
                   : 0;
    if (optind == argc)
        return hm_fail(error, EINVAL,
                       "which program? 'heapmark exec -a ALLOC,.. -- COMMAND..', or --suite");
    if (w->only)
        return hm_fail(error, EINVAL, "--only goes with --suite");
    return hm_programs_take(&w->programs, argv + optind, w->label, w->input, w->expect, error);
}

static int read_suite(struct wish *w, struct hm_error *error) {
    char path[PATH_MAX];
    if (w->label || w->input || w->expects)
        return hm_fail(error, EINVAL, "--label, --input and --expect stand in the file of a suite");
    if (strcmp(w->suite, "programs") != 0)
        return hm_suite_read(&w->programs, w->suite, w->only, error);
    if (hm_data_path("jobs/programs.ini", path, sizeof path))
        return hm_fail(error, ENOENT, "the suite, jobs/programs.ini, is not installed");
    return hm_suite_read(&w->programs, path, w->only, error);
}

/* Of a suite, the allocators that one is likely to want; those that are not there are skipped. */
static int take_allocators(struct wish *w, struct hm_error *error) {
    static const char likely[] = "system,jemalloc,mimalloc,tcmalloc";
    if (!w->allocators && !w->suite)
        return hm_fail(error, EINVAL, "under which allocators? -a system,jemalloc,..");
    w->request.optional = !w->allocators;
    w->request.matrix_count = 1;
    w->request.matrices[0].name = strdup("exec");
    return hm_matrix_set(&w->request.matrices[0], "allocators",
                         w->allocators ? w->allocators : likely)
               ? hm_fail(error, ENOMEM, "out of memory")
               : 0;
}

static int check(struct wish *w, struct hm_error *error) {
    char path[PATH_MAX];
    if (w->how.resume && w->how.folder)
        return hm_fail(error, EINVAL,
                       "--resume continues in its own folder: -o does not go with it");
    if (w->how.force && !w->how.resume)
        return hm_fail(error, EINVAL, "--force goes with --resume only");
    if (w->programs.no_output && (w->programs.keep_output || w->programs.same_output))
        return hm_fail(error, EINVAL,
                       "--no-output does not go with --keep-output or --same-output");
    if (hm_preload_find("witness", path, sizeof path))
        return hm_fail(
            error, ENOENT,
            "libheapmark-witness.so is not installed (a build with sanitizers has none)");
    if (strpbrk(path, " :"))
        return hm_fail(error, EINVAL, "%s: the loader takes no blank and no : in a path", path);
    return 0;
}

static int parse(struct wish *w, int argc, char **argv, struct hm_error *error) {
    int option;
    int index = 0;
    int bad = hm_request_set(&w->request, "pin", "none", error);
    opterr = 0;
    while (!bad && (option = getopt_long(argc, argv, "+a:o:", options, &index)) != -1)
        bad = take_option(w, option, index, argv, error);
    if (!bad)
        bad = take_command(w, argc, argv, error);
    if (!bad && w->suite)
        bad = read_suite(w, error);
    if (!bad)
        bad = take_allocators(w, error);
    return bad ? bad : check(w, error);
}

static int run(int argc, char **argv) {
    struct wish w = {.how = {.command = "exec", .argc = argc, .argv = argv}};
    struct hm_error error = {""};
    int status = HM_EXIT_USAGE;
    hm_request_init(&w.request);
    w.request.programs = &w.programs;
    if (parse(&w, argc, argv, &error))
        fprintf(stderr, "heapmark exec: %s\n", error.line);
    else
        status = hm_carry_out(&w.how, &w.request);
    hm_request_free(&w.request);
    hm_programs_free(&w.programs);
    return status;
}

static const struct hm_command exec_command = {.name = "exec",
                                               .summary =
                                                   "measure whole programs under each allocator",
                                               .usage = usage,
                                               .run = run};
HM_REGISTER(hm_command, exec_command);
