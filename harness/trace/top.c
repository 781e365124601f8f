/* heapmark trace top: which sites of a program allocate, hold and leave the most. */
#include "harness/trace/arguments.h"
#include "harness/trace/top_show.h"
#include "harness/trace/verb.h"
#include "harness/trace/verb_options.h"

#include <errno.h>
#include <stdlib.h>

static const char usage[] =
    "usage: heapmark trace top FILE [--by WHAT] [--sort KEY] [--top N]\n"
    "                          [--format table|csv|json] [--skip LIST]\n"
    "                          [--temporary N]\n\n"
    "Shows which sites of a recorded program allocate, hold and leave the most.\n\n"
    "  --by WHAT        site (function and line that asked: the default), stack,\n"
    "                   function, module, size or thread. The first four need a trace\n"
    "                   recorded with --stacks; without one, size is the default\n"
    "  --sort KEY       bytes (allocated in total: the default), blocks, peak (live\n"
    "                   when the whole heap was largest), own (the site's own peak),\n"
    "                   live (never freed), temporary (blocks), or churn (bytes for\n"
    "                   each byte of its own peak)\n"
    "  --top N          rows (default 20; 0: all); csv and json: all by default\n"
    "  --format FORMAT  table (default), csv or json\n"
    "  --skip LIST      functions, as patterns, that are nobody's site (xmalloc,a_*);\n"
    "                   their caller is the site. Default: 'operator new*,std::*,\n"
    "                   __gnu_cxx::*'\n"
    "  --temporary N    temporary blocks are freed by the thread that made them, and\n"
    "                   within its next N calls (default 8)\n\n"
    "A reallocation frees the block at its old site and makes it at the one that\n"
    "reallocates.\n\n"
    "Exit status: 0 done, 1 an error, 2 wrong usage or a broken trace.\n\n"
    "examples:\n"
    "  heapmark trace top lua.trace\n"
    "  heapmark trace top lua.trace --by stack --sort peak --top 5\n"
    "  heapmark trace top lua.trace --by size --format csv\n";

enum {
    TABLE,
    CSV,
    JSON,
    ROWS = 20, /* of a table */
};

static const char *const formats[] = {[TABLE] = "table", [CSV] = "csv", [JSON] = "json"};

struct top {
    struct hm_sum_options sum;
    const char *path;
    enum hm_top_sort sort;
    int format;
    uint64_t rows;
    bool rows_given;
};

/* @param top has the defaults */
static int parse(struct top *top, int argc, char **argv, struct hm_error *error) {
    const char *by = NULL;
    const char *sort = NULL;
    const char *format = NULL;
    const char *rows = NULL;
    const char *temporary = NULL;
    const struct hm_trace_argument arguments[] = {{"--by", &by},
                                                  {"--sort", &sort},
                                                  {"--format", &format},
                                                  {"--top", &rows},
                                                  {"--temporary", &temporary},
                                                  {"--skip", &top->sum.skip},
                                                  {NULL, &top->path},
                                                  {0}};
    int by_index = HM_BY_SITE;
    int sort_index = HM_TOP_BYTES;
    uint64_t calls = HM_SUM_TEMPORARY_CALLS;
    int bad = hm_trace_arguments(argc, argv, arguments, error);
    if (!bad)
        bad = hm_verb_take_choice("--by", by, hm_by_names, HM_BYS, &by_index, error);
    if (!bad)
        bad = hm_verb_take_choice("--sort", sort, hm_top_sort_names, HM_TOP_SORTS, &sort_index,
                                  error);
    if (!bad)
        bad = hm_verb_take_choice("--format", format, formats, JSON + 1, &top->format, error);
    if (!bad)
        bad = hm_verb_take_count("--top", rows, 0, 1000000000, &top->rows, error);
    if (!bad)
        bad = hm_verb_take_count("--temporary", temporary, 1, UINT32_MAX, &calls, error);
    top->sum.by = (enum hm_by)by_index;
    top->sum.by_given = by;
    top->sum.temporary_calls = (unsigned)calls;
    top->sort = (enum hm_top_sort)sort_index;
    top->rows_given = rows;
    return bad;
}

static int show(const struct top *top, const struct hm_sum *sum) {
    struct hm_top_list list;
    int bad = hm_top_list_make(&list, sum, top->sort);
    if (bad)
        return bad;
    size_t rows = top->rows_given ? (size_t)top->rows : top->format == TABLE ? ROWS : 0;
    if (rows == 0 || rows > list.count)
        rows = list.count;
    if (top->format == TABLE)
        hm_top_put_table(stdout, &list, rows);
    else if (top->format == CSV)
        hm_top_put_csv(stdout, &list, rows);
    else
        bad = hm_top_put_json(stdout, &list, rows);
    hm_top_list_free(&list);
    return bad;
}

static int carry_out(const struct top *top) {
    struct hm_error error = {""};
    struct hm_sum sum = {0};
    int bad = hm_sum_take(&sum, top->path, &top->sum, &error);
    if (!bad && sum.by != top->sum.by)
        fprintf(stderr, "heapmark trace top: %s: " HM_SUM_NO_STACKS "; by size instead\n",
                top->path);
    if (!bad && show(top, &sum))
        bad = hm_fail(&error, ENOMEM, "out of memory");
    if (!bad)
        hm_symbols_put_notes(hm_groups_symbols(sum.groups), stderr, "heapmark trace top");
    hm_sum_close(&sum);
    return hm_trace_exit("top", bad, &error);
}

static int run(int argc, char **argv) {
    struct hm_error error = {""};
    struct top top = {.sum = {.with_lines = true, .skip = HM_SUM_SKIP}};
    int bad = parse(&top, argc, argv, &error);
    return bad ? hm_trace_exit("top", bad, &error) : carry_out(&top);
}

static const struct hm_trace_verb top = {.name = "top",
                                         .summary = "sites that allocate, hold and leave the most",
                                         .usage = usage,
                                         .run = run};
HM_REGISTER(hm_trace_verb, top);
