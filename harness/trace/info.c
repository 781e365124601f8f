/* heapmark trace info: what a recorded heap comes to. */
#include "harness/cli/command.h"
#include "harness/trace/arguments.h"
#include "harness/trace/summary.h"
#include "harness/trace/verb.h"

#include <string.h>

static const char usage[] =
    "usage: heapmark trace info FILE [--format table|json]\n\n"
    "The totals of a recorded heap, how large its blocks are, how long they live, and\n"
    "what its threads did. Allocations, frees and bytes are counted as valgrind's\n"
    "memcheck does: a reallocation of a block is one of each.\n\n"
    "  --format FORMAT  table (default) or json\n\n"
    "Exit status: 0 done, 2 the file is not a whole trace, or wrong usage.\n\n"
    "examples:\n"
    "  heapmark trace info lua.hmt\n"
    "  heapmark trace info lua.hmt --format json\n";

static int show(const char *path, bool as_json, struct hm_error *error) {
    struct hm_trace_reader *reader = NULL;
    struct hm_summary summary;
    int bad = hm_trace_open(path, &reader, error->line);
    if (!bad)
        bad = hm_summary_take(&summary, reader, path, error);
    if (!bad && as_json)
        hm_summary_put_json(stdout, &summary, hm_trace_facts(reader));
    else if (!bad)
        hm_summary_put_table(stdout, &summary, hm_trace_facts(reader), path);
    if (!bad)
        hm_summary_free(&summary);
    hm_trace_close(reader);
    return bad;
}

static int run(int argc, char **argv) {
    const char *path = NULL;
    const char *format = "table";
    const struct hm_trace_argument arguments[] = {{NULL, &path}, {"--format", &format}, {0}};
    struct hm_error error = {""};
    int bad = hm_trace_arguments(argc, argv, arguments, &error);
    if (!bad && strcmp(format, "table") != 0 && strcmp(format, "json") != 0)
        bad = hm_fail(&error, EINVAL, "--format=%s: must be table or json", format);
    if (!bad)
        bad = show(path, strcmp(format, "json") == 0, &error);
    return hm_trace_exit(argv[0], bad, &error);
}

static const struct hm_trace_verb info = {
    .name = "info", .summary = "totals, sizes, lifetimes, threads", .usage = usage, .run = run};
HM_REGISTER(hm_trace_verb, info);
