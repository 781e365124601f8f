/* What one measured process is told to do: the child's side of the command line. */
#include "harness/cell/config.h"

#include "harness/cell/plugin.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {{"pass", required_argument, NULL, 'p'},
                                        {"allocator", required_argument, NULL, 'a'},
                                        {"collector", required_argument, NULL, 'c'},
                                        {"workload", required_argument, NULL, 'w'},
                                        {"cpus", required_argument, NULL, 'u'},
                                        {"seed", required_argument, NULL, 's'},
                                        {"units", required_argument, NULL, 'n'},
                                        {"warmup", required_argument, NULL, 'm'},
                                        {"spin", required_argument, NULL, 'i'},
                                        {"nonce", required_argument, NULL, 'o'},
                                        {"library", required_argument, NULL, 'l'},
                                        {"gbench", required_argument, NULL, 'g'},
                                        {"name", required_argument, NULL, 'N'},
                                        {"plugin", required_argument, NULL, 'P'},
                                        {"threading", required_argument, NULL, 't'},
                                        {"process-cpus", required_argument, NULL, 'U'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"idle", required_argument, NULL, 'I'},
                                        {"profile", required_argument, NULL, 'f'},
                                        {"slices", required_argument, NULL, 'S'},
                                        {NULL, 0, NULL, 0}};

const char *hm_pass_name(enum hm_pass pass) {
    static const char *const names[HM_PASS_COUNT] = {"calibrate",    "time",     "space", "latency",
                                                     "instructions", "counters", "warmup"};
    return names[pass];
}

static int parse_pass(const char *text, enum hm_pass *out) {
    for (int i = 0; i < HM_PASS_COUNT; i++)
        if (strcmp(text, hm_pass_name((enum hm_pass)i)) == 0) {
            *out = (enum hm_pass)i;
            return 0;
        }
    return EINVAL;
}

/* "0,1,-1": as many threads, or processes, as there are items. */
static int parse_cpus(const char *text, int **cpus, unsigned *count) {
    char *end;
    size_t room = 1;
    for (const char *at = text; *at; at++)
        room += *at == ',';
    *cpus = calloc(room, sizeof **cpus);
    if (!*cpus)
        return ENOMEM;
    for (const char *at = text;; at = end + 1) {
        long cpu = strtol(at, &end, 10);
        if (end == at || cpu < -1 || cpu > INT_MAX)
            return EINVAL;
        (*cpus)[(*count)++] = (int)cpu;
        if (*end != ',')
            return *end ? EINVAL : 0;
    }
}

static int parse_count(const char *text, uint64_t *out) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno || end == text || *end ? EINVAL : 0;
}

static int parse_small(const char *text, unsigned *out) {
    uint64_t count;
    if (parse_count(text, &count) || count > UINT_MAX)
        return EINVAL;
    *out = (unsigned)count;
    return 0;
}

static int parse_option(int option, const char *value, struct hm_cell_config *out,
                        struct hm_error *error) {
    switch (option) {
    case 'p':
        return parse_pass(value, &out->pass);
    case 'a':
        return hm_allocator_spec_parse(value, &out->allocator, error);
    case 'c':
        out->has_collector = true;
        return hm_collector_spec_parse(value, &out->collector, error);
    case 't':
        return hm_threading_parse(value, &out->threading);
    case 'w':
        return hm_workload_spec_parse(value, &out->workload, error);
    case 'u':
        return out->cpus ? EINVAL : parse_cpus(value, &out->cpus, &out->threads);
    case 'U':
        return out->process_cpus ? EINVAL : parse_cpus(value, &out->process_cpus, &out->processes);
    case 's':
        return parse_count(value, &out->seed);
    case 'n':
        return parse_count(value, &out->units);
    case 'm':
        return parse_count(value, &out->warmup_units);
    case 'i':
        return parse_count(value, &out->spin_ns);
    case 'r':
        return parse_count(value, &out->rate);
    case 'I':
        return parse_small(value, &out->idle_s);
    case 'S':
        return parse_small(value, &out->slices);
    case 'o':
        snprintf(out->nonce, sizeof out->nonce, "%s", value);
        return 0;
    case 'l':
        snprintf(out->library, sizeof out->library, "%s", value);
        return 0;
    case 'P':
        return hm_plugin_load(value, error);
    case 'N':
        snprintf(out->gbench_name, sizeof out->gbench_name, "%s", value);
        return 0;
    case 'g':
        snprintf(out->gbench, sizeof out->gbench, "%s", value);
        return 0;
    case 'f':
        snprintf(out->profile, sizeof out->profile, "%s", value);
        return 0;
    default:
        return EINVAL;
    }
}

int hm_cell_config_parse(int argc, char **argv, struct hm_cell_config *out,
                         struct hm_error *error) {
    memset(out, 0, sizeof *out);
    error->line[0] = '\0';
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (parse_option(option, optarg ? optarg : "", out, error))
            return error->line[0] ? EINVAL
                                  : hm_fail(error, EINVAL, "bad argument '%s'",
                                            optarg ? optarg : argv[optind - 1]);
    if (!out->allocator.count || !out->workload.part || !out->threads || !out->nonce[0])
        return hm_fail(
            error, EINVAL,
            "needs --allocator, --workload, --cpus and --nonce; 'heapmark run' calls it");
    const struct hm_workload *part = out->workload.part;
    if ((part->kind == HM_WORKLOAD_OBJECT) != out->has_collector)
        return hm_fail(error, EINVAL, "--collector goes with object workloads");
    if (out->processes != (part->processes ? part->processes(out->workload.params.values) : 0))
        return hm_fail(error, EINVAL, "--process-cpus has a CPU for each process of the workload");
    return 0;
}

void hm_cell_config_free(struct hm_cell_config *config) {
    free(config->cpus);
    free(config->process_cpus);
    config->cpus = config->process_cpus = NULL;
}
