/* heapmark trace flame: a recorded program's call stacks as a flame graph. */
#include "harness/results/folder.h"
#include "harness/trace/arguments.h"
#include "harness/trace/flame_svg.h"
#include "harness/trace/sum.h"
#include "harness/trace/verb.h"
#include "harness/trace/verb_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark trace flame FILE [--weight WHAT] [--format folded|svg]\n"
    "                            [-o FILE] [--skip LIST] [--temporary N]\n\n"
    "Draws the call stacks of a program that was recorded with --stacks: each box is\n"
    "a function, as wide as what was asked for by it and by what it calls.\n\n"
    "  --weight WHAT    bytes (allocated in total: the default), blocks, peak (bytes\n"
    "                   live when the whole heap was largest), live (bytes never\n"
    "                   freed) or temporary (blocks freed at once)\n"
    "  --format FORMAT  svg, or folded: lines 'main;f;g N' that other flame graph\n"
    "                   programs read. Default: svg for a FILE that ends in .svg,\n"
    "                   folded otherwise\n"
    "  -o FILE          is written; stdout by default\n"
    "  --skip LIST      functions that are left out where they are innermost, as\n"
    "                   patterns. Default: none\n"
    "  --temporary N    temporary blocks are freed by the thread that made them, and\n"
    "                   within its next N calls (default 8)\n\n"
    "Exit status: 0 done, 1 an error, 2 wrong usage, a broken trace, or one without\n"
    "stacks.\n\n"
    "examples:\n"
    "  heapmark trace flame lua.trace -o lua.svg\n"
    "  heapmark trace flame lua.trace --weight peak --format folded\n";

enum {
    BYTES,
    BLOCKS,
    PEAK,
    LIVE,
    TEMPORARY,
    WEIGHTS,
};

static const char *const weights[WEIGHTS] = {[BYTES] = "bytes",
                                             [BLOCKS] = "blocks",
                                             [PEAK] = "peak",
                                             [LIVE] = "live",
                                             [TEMPORARY] = "temporary"};

static const char *const titles[WEIGHTS] = {
    [BYTES] = "Bytes allocated",
    [BLOCKS] = "Blocks allocated",
    [PEAK] = "Bytes live when the heap was largest",
    [LIVE] = "Bytes never freed",
    [TEMPORARY] = "Blocks freed at once",
};

enum {
    FOLDED,
    SVG,
};

static const char *const formats[] = {[FOLDED] = "folded", [SVG] = "svg"};

struct flame {
    struct hm_sum_options sum;
    const char *path;
    const char *output; /* NULL: stdout */
    int weight;
    int format;
};

/* ---- Options ---- */

static bool ends_in_svg(const char *path) {
    size_t length = path ? strlen(path) : 0;
    return length > 4 && strcmp(path + length - 4, ".svg") == 0;
}

/* @param flame has the defaults */
static int parse(struct flame *flame, int argc, char **argv, struct hm_error *error) {
    const char *weight = NULL;
    const char *format = NULL;
    const char *temporary = NULL;
    const struct hm_trace_argument arguments[] = {{"--weight", &weight},
                                                  {"--format", &format},
                                                  {"--temporary", &temporary},
                                                  {"--skip", &flame->sum.skip},
                                                  {"-o", &flame->output},
                                                  {NULL, &flame->path},
                                                  {0}};
    uint64_t calls = HM_SUM_TEMPORARY_CALLS;
    int bad = hm_trace_arguments(argc, argv, arguments, error);
    flame->format = ends_in_svg(flame->output) ? SVG : FOLDED;
    if (!bad)
        bad = hm_verb_take_choice("--weight", weight, weights, WEIGHTS, &flame->weight, error);
    if (!bad)
        bad = hm_verb_take_choice("--format", format, formats, SVG + 1, &flame->format, error);
    if (!bad)
        bad = hm_verb_take_count("--temporary", temporary, 1, UINT32_MAX, &calls, error);
    flame->sum.temporary_calls = (unsigned)calls;
    return bad;
}

/* ---- Stacks ---- */

static uint64_t weight_of(const struct hm_site *site, int weight) {
    const uint64_t values[WEIGHTS] = {[BYTES] = site->bytes,
                                      [BLOCKS] = site->blocks,
                                      [PEAK] = site->at_peak_bytes,
                                      [LIVE] = site->live_bytes,
                                      [TEMPORARY] = site->temporary_blocks};
    return values[weight];
}

/* Those that weigh anything, in the order of their frames. @return NULL: no memory */
static struct hm_flame_line *lines_of(const struct hm_sum *sum, int weight, size_t *count) {
    size_t sites = hm_groups_count(sum->groups);
    struct hm_flame_line *lines = calloc(sites + 1, sizeof *lines);
    *count = 0;
    for (size_t i = 0; lines && i < sites; i++) {
        uint64_t value = weight_of(hm_sites_at(sum->sites, i), weight);
        if (value)
            lines[(*count)++] =
                (struct hm_flame_line){hm_groups_name(sum->groups, (uint32_t)i), value};
    }
    if (lines)
        qsort(lines, *count, sizeof *lines, hm_flame_compare);
    return lines;
}

static int put_svg(FILE *out, const struct flame *flame, const struct hm_sum *sum,
                   const struct hm_flame_line *lines, size_t count) {
    const struct hm_trace_facts *facts = hm_trace_facts(sum->reader);
    const struct hm_flame_style style = {
        .title = titles[flame->weight],
        .program = facts->program,
        .command = facts->command[0] ? facts->command : facts->program,
        .in_bytes = flame->weight != BLOCKS && flame->weight != TEMPORARY,
        .groups = sum->groups};
    struct hm_flame_tree tree;
    int bad = hm_flame_tree_make(&tree, lines, count);
    if (bad)
        return bad;
    bad = hm_flame_put_svg(out, &tree, &style);
    hm_flame_tree_free(&tree);
    return bad;
}

static int put(FILE *out, const struct flame *flame, const struct hm_sum *sum) {
    size_t count;
    int bad = 0;
    struct hm_flame_line *lines = lines_of(sum, flame->weight, &count);
    if (!lines)
        return ENOMEM;
    if (flame->format == SVG)
        bad = put_svg(out, flame, sum, lines, count);
    else
        for (size_t i = 0; i < count; i++)
            fprintf(out, "%s %llu\n", lines[i].stack, (unsigned long long)lines[i].weight);
    free(lines);
    return bad;
}

/* A file appears whole or not at all. */
static int write_out(const struct flame *flame, const struct hm_sum *sum, struct hm_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int bad = out ? put(out, flame, sum) : ENOMEM;
    if (out && fclose(out))
        bad = ENOMEM;
    if (bad)
        hm_error_set(error, "out of memory");
    else if (flame->output)
        bad = hm_file_replace(flame->output, text, size, error);
    else
        fwrite(text, 1, size, stdout);
    free(text);
    return bad;
}

static int carry_out(const struct flame *flame) {
    struct hm_error error = {""};
    struct hm_sum sum = {0};
    int bad = hm_sum_take(&sum, flame->path, &flame->sum, &error);
    if (!bad)
        bad = write_out(flame, &sum, &error);
    if (!bad)
        hm_symbols_put_notes(hm_groups_symbols(sum.groups), stderr, "heapmark trace flame");
    hm_sum_close(&sum);
    return hm_trace_exit("flame", bad, &error);
}

static int run(int argc, char **argv) {
    struct hm_error error = {""};
    struct flame flame = {.sum = {.by = HM_BY_STACK, .by_given = true, .skip = ""}};
    int bad = parse(&flame, argc, argv, &error);
    return bad ? hm_trace_exit("flame", bad, &error) : carry_out(&flame);
}

static const struct hm_trace_verb flame = {
    .name = "flame", .summary = "flame graph of the call stacks", .usage = usage, .run = run};
HM_REGISTER(hm_trace_verb, flame);
