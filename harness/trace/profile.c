/* heapmark trace profile: the table of sizes, rates and live blocks that the workload profile plays. */
#include "harness/results/folder.h"
#include "harness/trace/arguments.h"
#include "harness/trace/profile_rows.h"
#include "harness/trace/sum.h"
#include "harness/trace/text.h"
#include "harness/trace/verb.h"
#include "harness/trace/verb_options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark trace profile FILE [-o TABLE.csv] [--clock time|operations]\n\n"
    "Writes how many blocks of each size a recorded program allocates in a second,\n"
    "and how many of them are live on average: a table that fits on a page, says\n"
    "nothing else about the program, and can be run.\n\n"
    "  -o TABLE.csv     is written; stdout by default\n"
    "  --clock WHAT     time: rates are per second of the recording, means are over\n"
    "                   time (the default where times were recorded); operations:\n"
    "                   rates are per million operations, means are over operations\n\n"
    "Sizes of which hardly a block is live are merged with their neighbours as far as\n"
    "it takes for the workload to hold the program's live bytes within 1 %; comments\n"
    "in the table say what was done.\n\n"
    "Exit status: 0 done, 1 an error, 2 wrong usage or a broken trace.\n\n"
    "example:\n"
    "  heapmark trace profile lua.trace -o lua.csv\n"
    "  heapmark run -w profile:file=lua.csv -a system,mimalloc\n";

enum {
    COMMAND_BYTES = 200, /* of it that are shown */
};

enum {
    TIME,
    OPERATIONS,
};

static const char *const clocks[] = {[TIME] = "time", [OPERATIONS] = "operations"};

struct profile {
    const char *path;
    const char *output; /* NULL: stdout */
    int clock;
    bool clock_given;
};

/* What the table is made of, and what is said about it. */
struct table {
    struct hm_profile_row *rows;
    size_t count;
    size_t sizes;                /* before any were merged */
    struct hm_profile_rule rule; /* by which they were */
    uint64_t too_large;          /* blocks that no row can have */
    double divisor;              /* of live blocks and rates */
    double duration;             /* in the clock's unit: ns, or operations */
    double live, live_bytes;
    int clock;
};

/* ---- Options ---- */

static int parse(struct profile *p, int argc, char **argv, struct hm_error *error) {
    const char *clock = NULL;
    const struct hm_trace_argument arguments[] = {
        {"--clock", &clock}, {"-o", &p->output}, {NULL, &p->path}, {0}};
    int bad = hm_trace_arguments(argc, argv, arguments, error);
    p->clock_given = clock;
    return bad ? bad
               : hm_verb_take_choice("--clock", clock, clocks, OPERATIONS + 1, &p->clock, error);
}

/* ---- The table ---- */

static int choose_clock(const struct profile *p, const struct hm_sum *sum, struct table *table,
                        struct hm_error *error) {
    const struct hm_trace_totals *totals = hm_trace_totals(sum->reader);
    bool has_times = hm_trace_facts(sum->reader)->has_times && totals->duration_ns;
    if (p->clock_given && p->clock == TIME && !has_times)
        return hm_fail(error, EINVAL, "%s: no times in it: use --clock operations", p->path);
    table->clock = p->clock_given ? p->clock : has_times ? TIME : OPERATIONS;
    table->duration =
        table->clock == TIME ? (double)totals->duration_ns : (double)totals->operations;
    return 0;
}

static int by_size(const void *a, const void *b) {
    uint64_t x = ((const struct hm_profile_row *)a)->size;
    uint64_t y = ((const struct hm_profile_row *)b)->size;
    return x < y ? -1 : x > y;
}

/* By Little's law: what is live on average is all lives together by the time that they are spread over. */
static void take_size(struct table *table, uint64_t size, const struct hm_site *site) {
    double lives = table->clock == TIME ? site->life_ns : site->life_operations;
    double unit = table->clock == TIME ? 1e9 : 1e6;
    if (!site->born)
        return;
    if (size > HM_PROFILE_SIZE_MAX) {
        table->too_large += site->born;
        return;
    }
    struct hm_profile_row *row = &table->rows[table->count++];
    row->size = size ? size : 1;
    row->rate = (double)site->born * unit / table->duration;
    row->live = lives / table->duration;
    row->live_bytes = row->live * (double)row->size;
    table->live += row->live;
    table->live_bytes += row->live_bytes;
}

/* malloc(0) has a row with malloc(1). */
static void join_equal(struct table *table) {
    struct hm_profile_row *rows = table->rows;
    if (table->count < 2 || rows[0].size != rows[1].size)
        return;
    rows[1].rate += rows[0].rate;
    rows[1].live += rows[0].live;
    rows[1].live_bytes += rows[0].live_bytes;
    table->count--;
    memmove(rows, rows + 1, table->count * sizeof *rows);
}

static void divide(struct table *table) {
    double most = HM_PROFILE_PLACES_MAX / 2.0; /* room for what rounding adds */
    table->divisor = table->live > most ? ceil(table->live / most) : 1;
    for (size_t i = 0; i < table->count; i++) {
        table->rows[i].rate /= table->divisor;
        table->rows[i].live /= table->divisor;
        table->rows[i].live_bytes /= table->divisor;
    }
}

static int make_table(const struct profile *p, const struct hm_sum *sum, struct table *table,
                      struct hm_error *error) {
    size_t sizes = hm_groups_count(sum->groups);
    int bad = choose_clock(p, sum, table, error);
    if (bad)
        return bad;
    table->rows = calloc(sizes + 1, sizeof *table->rows);
    if (!table->rows)
        return hm_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; i < sizes && table->duration > 0; i++)
        take_size(table, strtoull(hm_groups_name(sum->groups, (uint32_t)i), NULL, 10),
                  hm_sites_at(sum->sites, i));
    if (!table->count)
        return hm_fail(error, EINVAL, "%s: nothing is allocated in it", p->path);
    qsort(table->rows, table->count, sizeof *table->rows, by_size);
    join_equal(table);
    table->sizes = table->count;
    divide(table);
    table->count = hm_profile_fit(table->rows, table->count, &table->rule);
    return table->count ? 0 : hm_fail(error, ENOMEM, "out of memory");
}

static void put_rule(FILE *out, const struct table *table) {
    const struct hm_profile_rule *rule = &table->rule;
    fprintf(out, "# %zu rows for %zu sizes; merged with the next larger row is one\n", table->count,
            table->sizes);
    if (rule->least_live > 0)
        fprintf(out, "#   of which less than %g blocks are live\n", rule->least_live);
    if (isfinite(rule->most_off_bytes))
        fprintf(out, "#   that whole blocks put off by more than %.6g bytes\n",
                rule->most_off_bytes);
}

static void put_comments(FILE *out, const struct table *table, const struct hm_trace_facts *facts) {
    struct hm_profile_held held = hm_profile_hold(table->rows, table->count);
    fputs("# ", out);
    hm_trace_put_text(out, facts->command[0] ? facts->command : facts->program, "", COMMAND_BYTES);
    if (table->clock == TIME)
        fprintf(out, "\n# rates are per second of %.6g s recorded; means are over time\n",
                table->duration / 1e9);
    else
        fprintf(
            out,
            "\n# rates are per million operations of %.0f recorded; means are over operations\n",
            table->duration);
    fprintf(out, "# live on average: %.9g blocks, %.9g bytes\n", table->live, table->live_bytes);
    if (table->divisor > 1)
        fprintf(out, "# live blocks and rates are divided by %.0f\n", table->divisor);
    if (table->count < table->sizes)
        put_rule(out, table);
    if (table->too_large)
        fprintf(out, "# left out: blocks larger than 1 GiB: %llu\n",
                (unsigned long long)table->too_large);
    fprintf(out, "# as whole blocks, at least one of each row: %.0f blocks, %.0f bytes: %+.2f %%\n",
            held.blocks, held.bytes, 100 * held.bytes_error);
}

static void put_table(FILE *out, const struct table *table, const struct hm_trace_facts *facts) {
    put_comments(out, table, facts);
    fputs("size_bytes,allocations_per_second,live_blocks\n", out);
    for (size_t i = 0; i < table->count; i++)
        fprintf(out, "%llu,%.12g,%.12g\n", (unsigned long long)table->rows[i].size,
                table->rows[i].rate, table->rows[i].live);
}

/* ---- The verb ---- */

/* A file appears whole or not at all. */
static int write_out(const struct profile *p, const struct hm_sum *sum, const struct table *table,
                     struct hm_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out)
        put_table(out, table, hm_trace_facts(sum->reader));
    int bad = !out || fclose(out) ? hm_fail(error, ENOMEM, "out of memory") : 0;
    if (!bad && p->output)
        bad = hm_file_replace(p->output, text, size, error);
    else if (!bad)
        fwrite(text, 1, size, stdout);
    free(text);
    return bad;
}

static void warn(const struct table *table) {
    double error = hm_profile_hold(table->rows, table->count).bytes_error;
    if (table->too_large)
        fprintf(stderr, "heapmark trace profile: left out: blocks larger than 1 GiB: %llu\n",
                (unsigned long long)table->too_large);
    if (!(fabs(error) <= 0.01))
        fprintf(stderr,
                "heapmark trace profile: too few blocks are live for whole ones to come near: the "
                "workload holds %+.2g %% bytes\n",
                100 * error);
}

static int carry_out(const struct profile *p) {
    struct hm_error error = {""};
    struct hm_sum sum = {0};
    struct table table = {0};
    const struct hm_sum_options how = {.by = HM_BY_SIZE, .skip = "", .temporary_calls = 1};
    int bad = hm_sum_take(&sum, p->path, &how, &error);
    if (!bad)
        bad = make_table(p, &sum, &table, &error);
    if (!bad)
        bad = write_out(p, &sum, &table, &error);
    if (!bad)
        warn(&table);
    free(table.rows);
    hm_sum_close(&sum);
    return hm_trace_exit("profile", bad, &error);
}

static int run(int argc, char **argv) {
    struct hm_error error = {""};
    struct profile p = {0};
    int bad = parse(&p, argc, argv, &error);
    return bad ? hm_trace_exit("profile", bad, &error) : carry_out(&p);
}

static const struct hm_trace_verb profile = {
    .name = "profile",
    .summary = "table of sizes, rates and live blocks for -w profile",
    .usage = usage,
    .run = run};
HM_REGISTER(hm_trace_verb, profile);
