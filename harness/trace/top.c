/* heapmark trace top: which sites of a program allocate, hold and leave the most. */
#include "harness/cli/command.h"
#include "harness/trace/top_show.h"
#include "harness/trace/verb.h"
#include "harness/trace/verb_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    "                   live (never freed), temporary (blocks), or churn (bytes for each\n"
    "                   byte of its own peak)\n"
    "  --top N          rows (default 20; 0: all); csv and json: all by default\n"
    "  --format FORMAT  table (default), csv or json\n"
    "  --skip LIST      functions that are nobody's site, as patterns: 'xmalloc,my_*'.\n"
    "                   Their caller is the site. Default: 'operator new*'\n"
    "  --temporary N    temporary blocks are freed by the thread that made them, within\n"
    "                   its next N calls (default 8)\n\n"
    "A reallocation frees the block at its old site and makes it at the one that\n"
    "reallocates.\n\n"
    "Exit status: 0 done, 1 an error, 2 wrong usage or a broken trace.\n\n"
    "examples:\n"
    "  heapmark trace top lua.trace\n"
    "  heapmark trace top lua.trace --by stack --sort peak --top 5\n"
    "  heapmark trace top lua.trace --by size --format csv\n";

static const struct option options[] = {{"by", required_argument, NULL, 'b'},
                                        {"sort", required_argument, NULL, 's'},
                                        {"top", required_argument, NULL, 't'},
                                        {"format", required_argument, NULL, 'f'},
                                        {"skip", required_argument, NULL, 'k'},
                                        {"temporary", required_argument, NULL, 'T'},
                                        {NULL, 0, NULL, 0}};

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

static int take_option(struct top *top, int option, const char *word, struct hm_error *error) {
    uint64_t calls = 0;
    int choice = 0;
    int bad = 0;
    switch (option) {
    case 'b':
        bad = hm_verb_take_choice("by", optarg, hm_by_names, HM_BYS, &choice, error);
        top->sum.by = (enum hm_by)choice;
        top->sum.by_given = true;
        return bad;
    case 's':
        bad = hm_verb_take_choice("sort", optarg, hm_top_sort_names, HM_TOP_SORTS, &choice, error);
        top->sort = (enum hm_top_sort)choice;
        return bad;
    case 'f':
        return hm_verb_take_choice("format", optarg, formats, JSON + 1, &top->format, error);
    case 't':
        top->rows_given = true;
        return hm_verb_take_count("top", optarg, 0, 1000000000, &top->rows, error);
    case 'k':
        top->sum.skip = optarg;
        return 0;
    case 'T':
        bad = hm_verb_take_count("temporary", optarg, 1, UINT32_MAX, &calls, error);
        top->sum.temporary_calls = (unsigned)calls;
        return bad;
    default:
        return hm_verb_bad_option("trace top", word, options, error);
    }
}

static int parse(struct top *top, int argc, char **argv, struct hm_error *error) {
    int option;
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int bad = take_option(top, option, argv[optind - 1], error);
        if (bad)
            return bad;
    }
    return hm_verb_take_file(argc, argv, &top->path, error);
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
    if (bad)
        fprintf(stderr, "heapmark trace top: %s\n", error.line);
    else
        hm_symbols_put_notes(hm_groups_symbols(sum.groups), stderr, "heapmark trace top");
    hm_sum_close(&sum);
    return hm_verb_exit(bad);
}

static int run(int argc, char **argv) {
    struct hm_error error = {""};
    struct top top = {
        .sum = {.with_lines = true, .skip = HM_SUM_SKIP, .temporary_calls = HM_SUM_TEMPORARY_CALLS},
    };
    if (!parse(&top, argc, argv, &error))
        return carry_out(&top);
    fprintf(stderr, "heapmark trace top: %s\n", error.line);
    return HM_EXIT_USAGE;
}

static const struct hm_trace_verb top = {.name = "top",
                                         .summary = "sites that allocate, hold and leave the most",
                                         .usage = usage,
                                         .run = run};
HM_REGISTER(hm_trace_verb, top);
