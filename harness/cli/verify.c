/* heapmark verify: whether allocators keep what every allocator has to keep. */
#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/cli/refuse.h"
#include "harness/cli/verify_collectors.h"
#include "harness/cli/verify_numbers.h"
#include "harness/verify/child.h"
#include "harness/verify/report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: heapmark verify [-a ALLOC,..] [--ops N] [--seed N] [--property NAME,..]\n"
    "                       [--format table|json] [--timeout S]\n"
    "       heapmark verify -c COLL,.. [the same options]\n\n"
    "Checks allocators against what every allocator has to keep, each property in a\n"
    "process of its own. Without -a: all allocators that are installed.\n"
    "With -c: collectors, against what every collector has to keep.\n\n"
    "  -a LIST            allocators: parts with parameters (pool:arena=256K), or\n"
    "                     the path of any shared library\n"
    "  -c LIST            collectors with parameters (generational:auto=off), the\n"
    "                     paths of plug-ins, or all\n"
    "  --ops N            operations of the random scripts (default 200K), as 100M or\n"
    "                     1e8; the other properties do more or less by it\n"
    "  --seed N           of the random scripts (default 1)\n"
    "  --property LIST    these only; 'misuse' is all that begin so\n"
    "  --format FORMAT    table (default) or json\n"
    "  --timeout S        seconds without progress before a process is ended\n"
    "                     (default 10)\n\n"
    "A property has passed, failed, or is unsupported; it deviates when it fails as\n"
    "this version of a library is known to, and in nothing else. What becomes of a\n"
    "misuse is told and never fails: aborted, neutralised, late, missed,\n"
    "could-not-run.\n\n"
    "Exit status: 0 nothing failed, 1 something failed, 2 wrong usage.\n\n"
    "examples:\n"
    "  heapmark verify -a ./libmine.so\n"
    "  heapmark verify -c generational,./mine.so\n"
    "  heapmark verify -a pool,first-fit:size=1M --property random --ops 100M\n";

enum {
    ARMS_MAX = 64,
    PROPERTIES_MAX = 128,
};

struct verify {
    struct hm_verifying judge;
    struct hm_request request;
    struct hm_verify_report report;
    struct hm_verified arms[ARMS_MAX];
    const struct hm_property *properties[PROPERTIES_MAX];
    char program[PATH_MAX];
    const char *allocators;
    const char *wanted;
    bool as_json;
};

static const struct option options[] = {
    {"ops", required_argument, NULL, 'n'},      {"seed", required_argument, NULL, 's'},
    {"property", required_argument, NULL, 'p'}, {"format", required_argument, NULL, 'f'},
    {"timeout", required_argument, NULL, 't'},  {NULL, 0, NULL, 0}};

static int take_option(struct verify *v, int option, const char *word, struct hm_error *error) {
    switch (option) {
    case 'a':
        v->allocators = optarg;
        return 0;
    case 'n':
        return hm_verify_take_number("ops", optarg, 1, &v->judge.ops, error);
    case 's':
        return hm_verify_take_number("seed", optarg, 0, &v->judge.seed, error);
    case 'p':
        v->wanted = optarg;
        return 0;
    case 't':
        return hm_verify_take_timeout(optarg, &v->judge.timeout_s, error);
    case 'f':
        if (strcmp(optarg, "json") != 0 && strcmp(optarg, "table") != 0)
            return hm_fail(error, EINVAL, "--format=%s: must be table or json", optarg);
        v->as_json = strcmp(optarg, "json") == 0;
        return 0;
    default:
        return hm_refuse_option("verify", "a", options, word, error);
    }
}

static int parse(struct verify *v, int argc, char **argv, struct hm_error *error) {
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "a:", options, NULL)) != -1) {
        int bad = take_option(v, option, argv[optind - 1], error);
        if (bad)
            return bad;
    }
    if (optind < argc)
        return hm_fail(error, EINVAL, "'%s' is one too many; allocators are given with -a",
                       argv[optind]);
    return 0;
}

static int add_arm(struct verify *v, const char *text, struct hm_error *error) {
    struct hm_arm *arm = calloc(1, sizeof *arm);
    if (!arm)
        return hm_fail(error, ENOMEM, "out of memory");
    int bad = hm_arm_resolve(text, &v->request, arm, error);
    if (!bad && v->report.arm_count == ARMS_MAX)
        bad = hm_fail(error, EINVAL, "more than %d allocators", ARMS_MAX);
    if (bad) {
        free(arm);
        return bad;
    }
    v->arms[v->report.arm_count++].arm = arm;
    return 0;
}

/* All parts but those that measure the harness; a library that is not installed is told. */
static int add_all(struct verify *v, struct hm_error *error) {
    size_t count;
    int bad = 0;
    const struct hm_allocator *const *parts = hm_allocators(&count);
    v->request.optional = true;
    for (size_t i = 0; !bad && i < count; i++)
        if (!(parts[i]->caps & HM_CAP_CONTROL))
            bad = add_arm(v, parts[i]->name, error);
    return bad;
}

static int add_arms(struct verify *v, struct hm_error *error) {
    if (!v->allocators)
        return add_all(v, error);
    char *list = strdup(v->allocators);
    char *rest = list;
    int bad = list ? 0 : hm_fail(error, ENOMEM, "out of memory");
    for (char *one; !bad && (one = strsep(&rest, ",")) != NULL;)
        bad = *one ? add_arm(v, one, error)
                   : hm_fail(error, EINVAL, "-a %s: a name is missing", v->allocators);
    free(list);
    return bad;
}

static int unknown_property(const struct verify *v, const char *name, struct hm_error *error) {
    const char *names[PROPERTIES_MAX];
    size_t count = v->report.property_count;
    for (size_t i = 0; i < count; i++)
        names[i] = v->properties[i]->name;
    const char *near = hm_nearest(name, names, count);
    if (near)
        return hm_fail(error, EINVAL, "unknown property '%s'; did you mean '%s'?", name, near);
    return hm_fail(error, EINVAL, "unknown property '%s'; docs/verify.md names them", name);
}

/* A name, or what comes before the first '-' of several. */
static bool is_named(const struct hm_property *property, const char *name) {
    size_t length = strlen(name);
    return strncmp(property->name, name, length) == 0 &&
           (!property->name[length] || (property->name[length] == '-' && !hm_property_find(name)));
}

static int choose_properties(struct verify *v, struct hm_error *error) {
    bool chosen[PROPERTIES_MAX] = {true}; /* entry-points, without which nothing can be said */
    size_t all = hm_properties(v->properties, PROPERTIES_MAX);
    size_t kept = 0;
    v->report.properties = v->properties;
    v->report.property_count = all;
    char *list = strdup(v->wanted ? v->wanted : "");
    char *rest = list;
    for (char *one; v->wanted && list && (one = strsep(&rest, ",")) != NULL;) {
        bool any = false;
        for (size_t i = 0; i < all; i++)
            if (is_named(v->properties[i], one))
                any = chosen[i] = true;
        if (!any) {
            int bad = unknown_property(v, one, error);
            free(list);
            return bad;
        }
    }
    free(list);
    for (size_t i = 0; i < all; i++)
        if (!v->wanted || chosen[i])
            v->properties[kept++] = v->properties[i];
    v->report.property_count = kept;
    return 0;
}

static void tell_progress(const struct hm_arm *arm, const struct hm_property *property) {
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s%s%s", arm ? arm->label : "", arm ? ": " : "",
                property ? property->name : "");
}

/* Where there is no terminal, each allocator is told of when it is done. */
static void tell_arm(const struct hm_verify_report *r, const struct hm_verified *arm) {
    if (isatty(STDERR_FILENO))
        return;
    fputs("heapmark verify: ", stderr);
    if (arm->arm->missing[0])
        fprintf(stderr, "missing: %s\n", arm->arm->missing);
    else
        hm_verify_print_counts(stderr, r, arm);
}

static void could_not_run(struct hm_finding *f, const struct hm_property *property) {
    *f = (struct hm_finding){.property = property,
                             .verdict = HM_CONFORM_COULD_NOT_RUN,
                             .line = "the process does not come to its first malloc"};
}

/* When the first property, entry-points, fails, the others would only fail in the same way. */
static int verify_arm(struct verify *v, struct hm_verified *arm, struct hm_error *error) {
    const struct hm_verify_report *r = &v->report;
    if (arm->arm->missing[0] || !r->property_count)
        return 0;
    arm->findings = calloc(r->property_count, sizeof *arm->findings);
    if (!arm->findings)
        return hm_fail(error, ENOMEM, "out of memory");
    v->judge.arm = arm->arm;
    v->judge.unaligned = false;
    for (size_t i = 0; i < r->property_count; i++) {
        if (i && arm->findings[0].verdict == HM_CONFORM_FAILED) {
            could_not_run(&arm->findings[i], r->properties[i]);
            continue;
        }
        tell_progress(arm->arm, r->properties[i]);
        int bad = hm_verify_property(&v->judge, r->properties[i], &arm->findings[i], error);
        if (bad)
            return bad;
        if (strcmp(r->properties[i]->name, "alignment") == 0)
            v->judge.unaligned = arm->findings[i].verdict == HM_CONFORM_FAILED;
    }
    return 0;
}

static int verify_all(struct verify *v, struct hm_error *error) {
    int bad = hm_program_path(v->program, sizeof v->program);
    if (bad)
        return hm_fail(error, bad, "can not tell my own path: %s", strerror(bad));
    v->judge.program = v->program;
    for (size_t i = 0; !bad && i < v->report.arm_count; i++) {
        bad = verify_arm(v, &v->arms[i], error);
        if (!bad)
            tell_arm(&v->report, &v->arms[i]);
    }
    tell_progress(NULL, NULL);
    return bad;
}

static int report(struct verify *v) {
    v->report.ops = v->judge.ops;
    v->report.seed = v->judge.seed;
    if (v->as_json) {
        hm_verify_print_json(stdout, &v->report);
    } else {
        printf("%" PRIu64 " operations, seed %" PRIu64 "\n\n", v->judge.ops, v->judge.seed);
        hm_verify_print_table(stdout, &v->report);
    }
    return hm_verify_any_failed(&v->report) ? HM_EXIT_FAILED : HM_EXIT_OK;
}

static int carry_out(struct verify *v, int argc, char **argv) {
    struct hm_error error = {""};
    int bad = parse(v, argc, argv, &error);
    if (!bad)
        bad = choose_properties(v, &error);
    if (!bad)
        bad = add_arms(v, &error);
    int status = bad == ENOMEM ? HM_EXIT_FAILED : HM_EXIT_USAGE;
    if (!bad) {
        bad = verify_all(v, &error);
        status = HM_EXIT_FAILED;
    }
    if (!bad)
        return report(v);
    fprintf(stderr, "heapmark verify: %s\n", error.line);
    return status;
}

static int run(int argc, char **argv) {
    static struct verify v;
    if (hm_verify_is_of_collectors(argc, argv))
        return hm_verify_collectors(argc, argv);
    v.judge = (struct hm_verifying){.ops = 200000, .seed = 1, .timeout_s = 10};
    v.report.arms = v.arms;
    hm_request_init(&v.request);
    int status = carry_out(&v, argc, argv);
    for (size_t i = 0; i < v.report.arm_count; i++) {
        free(v.arms[i].findings);
        free((void *)v.arms[i].arm);
    }
    hm_request_free(&v.request);
    return status;
}

static const struct hm_command verify = {
    .name = "verify", .summary = "check allocators and collectors", .usage = usage, .run = run};
HM_REGISTER(hm_command, verify);

static const char child_usage[] =
    "usage: heapmark verify-child --allocator=SPEC --property=NAME --ops=N --seed=N\n"
    "                             --timeout=S [--library=PATH] [--plugin=PATH]\n"
    "                             [--shrink=N]\n\n"
    "One process of 'heapmark verify', which reports on descriptor 3.\n";

static int run_child(int argc, char **argv) {
    static struct hm_verify_task task;
    struct hm_error error = {""};
    if (hm_verify_task_parse(argc, argv, &task, &error) == 0)
        hm_verify_child(&task);
    fprintf(stderr, "heapmark verify-child: %s\n", error.line);
    return HM_EXIT_USAGE;
}

static const struct hm_command verify_child = {.name = "verify-child",
                                               .summary = "one process of verify",
                                               .usage = child_usage,
                                               .internal = true,
                                               .run = run_child};
HM_REGISTER(hm_command, verify_child);
