/* heapmark verify -c: whether collectors keep what every collector has to keep. */
#include "harness/cli/verify_collectors.h"

#include "harness/cli/command.h"
#include "harness/cli/verify_numbers.h"
#include "harness/plan/arm.h"
#include "harness/verify_gc/report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ARMS_MAX = 64,
    PROPERTIES_MAX = 64,
};

struct verify {
    struct hm_gc_judge judge;
    struct hm_gc_report report;
    struct hm_gc_verified arms[ARMS_MAX];
    const struct hm_gc_property *properties[PROPERTIES_MAX];
    const char *collectors;
    const char *wanted;
    bool as_json;
};

bool hm_verify_is_of_collectors(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "-c", 2) == 0)
            return true;
    return false;
}

static int take_option(struct verify *v, int option, const char *word, struct hm_error *error) {
    switch (option) {
    case 'a':
        return hm_fail(error, EINVAL,
                       "-a and -c are two commands: a collector is checked on a heap of verify's");
    case 'c':
        v->collectors = optarg;
        return 0;
    case 'n':
        return hm_verify_take_number("ops", optarg, 1, &v->judge.effort, error);
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
    case ':':
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    default:
        return hm_fail(error, EINVAL, "unknown option '%s'; see 'heapmark verify --help'", word);
    }
}

static int parse(struct verify *v, int argc, char **argv, struct hm_error *error) {
    static const struct option options[] = {
        {"ops", required_argument, NULL, 'n'},      {"seed", required_argument, NULL, 's'},
        {"property", required_argument, NULL, 'p'}, {"format", required_argument, NULL, 'f'},
        {"timeout", required_argument, NULL, 't'},  {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":a:c:", options, NULL)) != -1) {
        int bad = take_option(v, option, argv[optind - 1], error);
        if (bad)
            return bad;
    }
    if (optind < argc)
        return hm_fail(error, EINVAL, "'%s' is one too many; collectors are given with -c",
                       argv[optind]);
    return 0;
}

/* Whether the collector is there, and its parameters are good: a plug-in is asked in a process of its
 * own. */
static int check_arm(const struct verify *v, struct hm_gc_verified *arm, struct hm_error *error) {
    struct hm_collector_spec spec;
    struct hm_gc_finding finding;
    if (hm_allocator_is_path(arm->spec)) {
        int bad = hm_gc_judge(&v->judge, arm->spec, NULL, &finding, error);
        if (!bad && finding.verdict == HM_CONFORM_FAILED)
            bad = hm_fail(error, EINVAL, "%s: loading it failed: %s", arm->spec, finding.line);
        return bad;
    }
    int bad = hm_collector_spec_parse(arm->spec, &spec, error);
    if (!bad)
        hm_collector_check(spec.part, arm->missing, sizeof arm->missing);
    return bad;
}

static int add_arm(struct verify *v, const char *text, struct hm_error *error) {
    struct hm_gc_verified *arm = &v->arms[v->report.arm_count];
    if (v->report.arm_count == ARMS_MAX)
        return hm_fail(error, EINVAL, "more than %d collectors", ARMS_MAX);
    if (strlen(text) >= sizeof arm->spec)
        return hm_fail(error, EINVAL, "the collector '%.40s...' is longer than %zu bytes", text,
                       sizeof arm->spec - 1);
    *arm = (struct hm_gc_verified){.missing = ""};
    snprintf(arm->spec, sizeof arm->spec, "%s", text);
    const char *slash = hm_allocator_is_path(arm->spec) ? strrchr(arm->spec, '/') : NULL;
    arm->label = slash ? slash + 1 : arm->spec;
    v->report.arm_count++;
    return check_arm(v, arm, error);
}

static int add_all(struct verify *v, struct hm_error *error) {
    size_t count;
    int bad = 0;
    const struct hm_collector *const *parts = hm_collectors(&count);
    for (size_t i = 0; !bad && i < count; i++) {
        const struct hm_collector *c = parts[i];
        char text[HM_SPEC_BYTES];
        snprintf(text, sizeof text, "%s%s%s", c->variant_of ? c->variant_of : c->name,
                 c->variant_of ? ":" : "", c->variant_of ? c->variant : "");
        bad = add_arm(v, text, error);
    }
    return bad;
}

static int add_arms(struct verify *v, struct hm_error *error) {
    if (strcmp(v->collectors, "all") == 0)
        return add_all(v, error);
    char *list = strdup(v->collectors);
    char *rest = list;
    int bad = list ? 0 : hm_fail(error, ENOMEM, "out of memory");
    for (char *one; !bad && (one = strsep(&rest, ",")) != NULL;)
        bad = *one ? add_arm(v, one, error)
                   : hm_fail(error, EINVAL, "-c %s: a name is missing", v->collectors);
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
    return hm_fail(error, EINVAL, "unknown property '%s' of collectors; docs/verify.md names them",
                   name);
}

/* A name, or what comes before the first '-' of several. */
static bool is_named(const struct hm_gc_property *property, const char *name) {
    size_t length = strlen(name);
    return *name && strncmp(property->name, name, length) == 0 &&
           (!property->name[length] || property->name[length] == '-');
}

static int choose_properties(struct verify *v, struct hm_error *error) {
    bool chosen[PROPERTIES_MAX] = {false};
    size_t all = v->report.property_count;
    size_t kept = 0;
    int bad = 0;
    char *list = strdup(v->wanted);
    char *rest = list;
    for (char *one; !bad && list && (one = strsep(&rest, ",")) != NULL;) {
        bool any = false;
        for (size_t i = 0; i < all; i++)
            if (is_named(v->properties[i], one))
                any = chosen[i] = true;
        if (!any)
            bad = unknown_property(v, one, error);
    }
    free(list);
    for (size_t i = 0; i < all; i++)
        if (chosen[i])
            v->properties[kept++] = v->properties[i];
    v->report.property_count = kept;
    return bad;
}

static void tell_progress(const struct hm_gc_verified *arm, const char *property) {
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s%s%s", arm ? arm->label : "", arm ? ": " : "", property);
}

static int verify_arm(struct verify *v, struct hm_gc_verified *arm, struct hm_error *error) {
    const struct hm_gc_report *r = &v->report;
    if (arm->missing[0])
        return 0;
    arm->findings = calloc(r->property_count, sizeof *arm->findings);
    if (!arm->findings)
        return hm_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; i < r->property_count; i++) {
        tell_progress(arm, r->properties[i]->name);
        int bad = hm_gc_judge(&v->judge, arm->spec, r->properties[i], &arm->findings[i], error);
        if (bad)
            return bad;
    }
    return 0;
}

static int verify_all(struct verify *v, struct hm_error *error) {
    int bad = 0;
    for (size_t i = 0; !bad && i < v->report.arm_count; i++)
        bad = verify_arm(v, &v->arms[i], error);
    tell_progress(NULL, "");
    return bad;
}

static int report(struct verify *v) {
    v->report.ops = v->judge.effort;
    v->report.seed = v->judge.seed;
    if (v->as_json) {
        hm_gc_print_json(stdout, &v->report);
    } else {
        printf("%" PRIu64 " operations, seed %" PRIu64 "\n\n", v->report.ops, v->report.seed);
        hm_gc_print_table(stdout, &v->report);
    }
    return hm_gc_any_failed(&v->report) ? HM_EXIT_FAILED : HM_EXIT_OK;
}

static int carry_out(struct verify *v, int argc, char **argv) {
    struct hm_error error = {""};
    int bad = parse(v, argc, argv, &error);
    if (!bad && v->wanted)
        bad = choose_properties(v, &error);
    if (!bad)
        bad = add_arms(v, &error);
    int status = bad == EINVAL ? HM_EXIT_USAGE : HM_EXIT_FAILED;
    if (!bad)
        bad = verify_all(v, &error);
    if (!bad)
        return report(v);
    fprintf(stderr, "heapmark verify: %s\n", error.line);
    return status;
}

int hm_verify_collectors(int argc, char **argv) {
    static struct verify v;
    v.judge = (struct hm_gc_judge){.effort = 200000, .seed = 1, .timeout_s = 10};
    v.report.arms = v.arms;
    v.report.properties = v.properties;
    v.report.property_count = hm_gc_properties(v.properties, PROPERTIES_MAX);
    int status = carry_out(&v, argc, argv);
    for (size_t i = 0; i < v.report.arm_count; i++)
        free(v.arms[i].findings);
    return status;
}
