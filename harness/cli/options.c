/* The options of `heapmark run`. */
#include "harness/cli/options.h"

#include "harness/cli/data.h"
#include "harness/plan/registry.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

/* Long options that set a key of the request carry its name. */
static const struct option options[] = {
    {"quick", no_argument, NULL, 'q'},           {"rigorous", no_argument, NULL, 'r'},
    {"dry-run", no_argument, NULL, 'n'},         {"no-plots", no_argument, NULL, 'p'},
    {"require-quiet", no_argument, NULL, 'Q'},   {"resume", required_argument, NULL, 'R'},
    {"rounds", required_argument, NULL, 'k'},    {"pin", required_argument, NULL, 'k'},
    {"threading", required_argument, NULL, 'k'}, {"metrics", required_argument, NULL, 'k'},
    {"margin", required_argument, NULL, 'k'},    {"baseline", required_argument, NULL, 'k'},
    {"seed", required_argument, NULL, 'k'},      {"timeout", required_argument, NULL, 'k'},
    {"rate", required_argument, NULL, 'k'},      {"sweep", required_argument, NULL, 's'},
    {"turns", required_argument, NULL, 'k'},     {"budget", required_argument, NULL, 'k'},
    {"force", no_argument, NULL, 'F'},           {NULL, 0, NULL, 0}};

enum {
    SWEEPS_MAX = 16,
};

/* What -a, -c, -w, -t and --sweep gave: it replaces the lists of every matrix of a job file. */
struct lists {
    const char *allocators, *collectors, *workloads, *threads;
    const char *sweeps[SWEEPS_MAX];
    size_t sweep_count;
    bool given;
};

void hm_run_options_free(struct hm_run_options *options_) {
    hm_request_free(&options_->request);
}

/* Key options wait until the job file has been read, so that the command line has the last word. */
struct pending {
    const char *key, *value;
};

/* The first one takes the place of the job file's. */
static int apply_sweeps(struct hm_matrix *matrix, const struct lists *l, struct hm_error *error) {
    int bad = 0;
    for (size_t i = 0; i < l->sweep_count; i++)
        if (!l->sweeps[i][strspn(l->sweeps[i], " \t")])
            return hm_fail(error, EINVAL, "--sweep: which part, and which values of what?");
    for (size_t i = 0; !bad && i < l->sweep_count; i++)
        bad = i ? hm_matrix_extend(matrix, "sweep", l->sweeps[i])
                : hm_matrix_set(matrix, "sweep", l->sweeps[i]);
    return bad ? hm_fail(error, ENOMEM, "out of memory") : 0;
}

static int apply_lists(struct hm_run_options *out, const struct lists *l, struct hm_error *error) {
    const char *const keys[] = {"allocators", "collectors", "workloads", "threads"};
    const char *const values[] = {l->allocators, l->collectors, l->workloads, l->threads};
    struct hm_request *r = &out->request;
    if (r->matrix_count == 0) {
        r->matrices[0].name = strdup("run");
        r->matrix_count = 1;
    }
    int bad = 0;
    for (unsigned m = 0; !bad && m < r->matrix_count; m++) {
        for (size_t k = 0; k < 4; k++)
            if (values[k] && hm_matrix_set(&r->matrices[m], keys[k], values[k]))
                return hm_fail(error, ENOMEM, "out of memory");
        bad = apply_sweeps(&r->matrices[m], l, error);
    }
    return bad;
}

static int read_job(struct hm_run_options *out, const char *file, bool given,
                    struct hm_error *error) {
    char path[PATH_MAX];
    if (file)
        return hm_job_read(&out->request, file, error);
    if (given)
        return 0;
    if (hm_data_path("jobs/default.ini", path, sizeof path))
        return hm_fail(error, ENOENT, "the default matrix, jobs/default.ini, is not installed");
    return hm_job_read(&out->request, path, error);
}

static int bad_option(char **argv, struct hm_error *error) {
    const char *names[sizeof options / sizeof *options];
    size_t count = 0;
    const char *word = argv[optind - 1];
    for (; options[count].name; count++)
        names[count] = options[count].name;
    if (optopt && optopt != '?' && strchr("acwto", optopt))
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    const char *near = strncmp(word, "--", 2) == 0 ? hm_nearest(word + 2, names, count) : NULL;
    if (near && strcmp(near, word + 2) == 0)
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    if (near)
        return hm_fail(error, EINVAL, "unknown option '%s'; did you mean '--%s'?", word, near);
    return hm_fail(error, EINVAL, "unknown option '%s'; see 'heapmark run --help'", word);
}

static int take_option(int option, int index, struct hm_run_options *out, struct lists *lists,
                       struct pending *pending, size_t *count) {
    const char **list = option == 'a'   ? &lists->allocators
                        : option == 'c' ? &lists->collectors
                        : option == 'w' ? &lists->workloads
                        : option == 't' ? &lists->threads
                                        : NULL;
    if (list) {
        *list = optarg;
        lists->given = true;
    } else if (option == 's') {
        lists->sweeps[lists->sweep_count++] = optarg;
        lists->given = true;
    } else if (option == 'o') {
        out->folder = optarg;
    } else if (option == 'R') {
        out->resume = optarg;
    } else if (option == 'F') {
        out->force = true;
    } else if (option == 'n') {
        out->dry_run = true;
    } else if (option == 'p') {
        out->no_plots = true;
    } else if (option == 'Q') {
        out->require_quiet = true;
    } else if (option == 'q' || option == 'r') {
        pending[(*count)++] = (struct pending){"mode", option == 'q' ? "quick" : "rigorous"};
    } else if (option == 'k') {
        pending[(*count)++] = (struct pending){options[index].name, optarg};
    } else {
        return EINVAL;
    }
    return 0;
}

int hm_run_options_parse(int argc, char **argv, struct hm_run_options *out,
                         struct hm_error *error) {
    struct lists lists = {0};
    struct pending pending[32];
    size_t count = 0;
    int option;
    int index = 0;
    *out = (struct hm_run_options){.folder = NULL};
    hm_request_init(&out->request);
    opterr = 0;
    while ((option = getopt_long(argc, argv, "a:c:w:t:o:", options, &index)) != -1) {
        if (count == sizeof pending / sizeof *pending || lists.sweep_count == SWEEPS_MAX)
            return hm_fail(error, EINVAL, "too many options");
        if (take_option(option, index, out, &lists, pending, &count))
            return bad_option(argv, error);
    }
    if (argc - optind > 1)
        return hm_fail(error, EINVAL, "more than one job file: '%s' and '%s'", argv[optind],
                       argv[optind + 1]);
    int bad = read_job(out, argv[optind], lists.given, error);
    if (!bad)
        bad = apply_lists(out, &lists, error);
    for (size_t i = 0; !bad && i < count; i++)
        bad = hm_request_set(&out->request, pending[i].key, pending[i].value, error);
    if (!bad && out->resume && out->folder)
        bad =
            hm_fail(error, EINVAL, "--resume continues in its own folder: -o does not go with it");
    if (!bad && out->force && !out->resume)
        bad = hm_fail(error, EINVAL, "--force goes with --resume only");
    return bad;
}
