/* The summary of a trace as a table and as JSON. */
#include "harness/trace/summary.h"

#include "harness/census/show.h"
#include "harness/trace/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum {
    BAR_WIDTH = 16,
    POWERS = 64,
    THREADS_SHOWN = 8,
    FACT_WIDTH = 66,
};

static const char *const end_names[] = {"exit", "signal", "exec", "unknown"};

static double share(uint64_t part, uint64_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

/* Of the deaths that we know a birth of. */
static double crossed(const struct hm_trace_totals *t) {
    return share(t->cross_thread_frees, t->frees);
}

/* ---- The head of the table ---- */

static void put_fact(FILE *out, const char *name, const char *text) {
    if (!*text)
        return;
    fprintf(out, "%-12s ", name);
    hm_trace_put_text(out, text, "", FACT_WIDTH - 3);
    fputc('\n', out);
}

static void put_recorded(FILE *out, const struct hm_trace_facts *facts) {
    char date[40] = "";
    struct tm parts;
    time_t when = (time_t)facts->started_utc;
    if (when && gmtime_r(&when, &parts))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC, ", &parts);
    fprintf(out, "%-12s %sby ", "recorded", date);
    hm_trace_put_text(out, *facts->recorder ? facts->recorder : "somebody", "", 30);
    fputc('\n', out);
    if (!*facts->machine && !facts->pid)
        return;
    fprintf(out, "%-12s ", "on");
    hm_trace_put_text(out, facts->machine, "", 40);
    fprintf(out, "%spages of %" PRIu64 " bytes", *facts->machine ? ", " : "", facts->page_bytes);
    if (facts->pid)
        fprintf(out, ", as process %" PRIu64, facts->pid);
    fputc('\n', out);
}

static void put_end(FILE *out, const struct hm_summary *s, const struct hm_trace_facts *facts) {
    char text[HM_TRACE_SHORT];
    fprintf(out, "%-12s ", "ended");
    switch (s->totals.end) {
    case HM_TRACE_END_EXIT:
        fprintf(out, "with exit status %d", (int)s->totals.status);
        break;
    case HM_TRACE_END_SIGNAL:
        fprintf(out, "by signal %d (%s)", (int)s->totals.status, strsignal(s->totals.status));
        break;
    case HM_TRACE_END_EXEC:
        fputs("as another program took its place", out);
        break;
    default:
        fputs("in a way that is not known", out);
    }
    if (facts->has_times)
        fprintf(out, ", its last call after %s", hm_trace_time_text(s->totals.duration_ns, text));
    fputc('\n', out);
}

static void put_file(FILE *out, const struct hm_summary *s, const struct hm_trace_facts *facts) {
    char text[HM_TRACE_SHORT];
    double each = share(s->file_bytes, s->totals.operations);
    fprintf(out, "%-12s %s", "file", hm_trace_bytes_text(s->file_bytes, text));
    if (isfinite(each))
        fprintf(out, ", %.2f bytes for each operation", each);
    fprintf(out, "%s%s\n", facts->has_times ? ", with times" : "",
            facts->has_stacks ? ", with stacks" : "");
}

/* ---- Counts ---- */

static void put_count(FILE *out, const char *name, uint64_t count) {
    char text[HM_TRACE_SHORT];
    fprintf(out, "%-16s %16s", name, hm_trace_count_text(count, text));
}

static void put_some(FILE *out, const char *name, uint64_t count, const char *what) {
    if (!count)
        return;
    put_count(out, name, count);
    fprintf(out, "   %s\n", what);
}

static void put_counts(FILE *out, const struct hm_summary *s) {
    const struct hm_trace_totals *t = &s->totals;
    char text[HM_TRACE_SHORT];
    put_count(out, "operations", t->operations);
    fprintf(out, "   by %s thread%s\n", hm_trace_count_text(t->threads, text),
            t->threads == 1 ? "" : "s");
    put_count(out, "allocations", t->allocations);
    fprintf(out, "   %s\n", hm_trace_bytes_text(t->bytes, text));
    put_count(out, "frees", t->frees);
    if (t->cross_thread_frees)
        fprintf(out, "   %.3g %% of them by another thread", 100 * crossed(t));
    fputc('\n', out);
    put_count(out, "peak, blocks", t->peak_blocks);
    fputc('\n', out);
    put_count(out, "peak, bytes", t->peak_bytes);
    fprintf(out, "   %s\n", hm_trace_bytes_text(t->peak_bytes, text));
    put_count(out, "live at the end", s->end_blocks);
    fprintf(out, "   %s\n", hm_trace_bytes_text(s->end_bytes, text));
    put_some(out, "inherited", t->inherited, "blocks, from the process that forked it");
    put_some(out, "foreign", t->foreign, "calls about blocks made before the recording");
    put_some(out, "failed", t->failed, "calls that gave nothing");
    put_some(out, "free(NULL)", t->null_frees, "counted in no other line but operations");
    put_some(out, "dropped", t->dropped, "calls that the recorder could not keep");
}

static void put_kinds(FILE *out, const struct hm_summary *s) {
    unsigned column = 0;
    fputc('\n', out);
    for (unsigned k = 0; k < HM_TRACE_KINDS; k++) {
        char text[HM_TRACE_SHORT];
        if (!s->kinds[k])
            continue;
        fprintf(out, "%s%-14s %9s", column ? "   " : "", hm_trace_kind_names[k],
                hm_trace_short_text(s->kinds[k], 1000, text));
        column = (column + 1) % 3;
        if (!column)
            fputc('\n', out);
    }
    if (column)
        fputc('\n', out);
}

/* ---- Histograms ---- */

/* Blocks by powers of two: row 0 is the value 0, row k the values from 2^(k-1). */
struct powers {
    uint64_t blocks[POWERS + 1];
    uint64_t all, most;
};

static struct powers powers_of(const struct hm_census_histogram *h) {
    struct powers p = {0};
    for (unsigned i = 0; i < HM_CENSUS_BUCKETS; i++) {
        uint64_t low = hm_census_low(i);
        unsigned row = low ? 64 - (unsigned)__builtin_clzll(low) : 0;
        if (!h->blocks[i])
            continue;
        p.blocks[row] += h->blocks[i];
        p.all += h->blocks[i];
        p.most = p.blocks[row] > p.most ? p.blocks[row] : p.most;
    }
    return p;
}

static void range_text(unsigned row, char out[2 * HM_TRACE_SHORT + 4]) {
    char low[HM_TRACE_SHORT];
    char high[HM_TRACE_SHORT];
    uint64_t from = row ? UINT64_C(1) << (row - 1) : 0;
    hm_trace_short_text(from, 1024, low);
    if (row < 2)
        snprintf(out, 2 * HM_TRACE_SHORT + 4, "%s", low);
    else if (row < 11)
        snprintf(out, 2 * HM_TRACE_SHORT + 4, "%s - %u", low, (unsigned)from * 2 - 1);
    else
        snprintf(out, 2 * HM_TRACE_SHORT + 4, "%s - %s", low,
                 row < POWERS ? hm_trace_short_text(from * 2, 1024, high) : "");
}

/* Print the next row that holds something, @param pad to 38 columns. @return the row behind it */
static unsigned put_power(FILE *out, const struct powers *p, unsigned row, bool pad) {
    char range[2 * HM_TRACE_SHORT + 4];
    char bar[BAR_WIDTH + 1];
    char percent[HM_TRACE_SHORT];
    while (row <= POWERS && !p->blocks[row])
        row++;
    if (row > POWERS) {
        fprintf(out, "%*s", pad ? 38 : 0, "");
        return row;
    }
    double part = 100 * share(p->blocks[row], p->all);
    int width = (int)ceil((double)BAR_WIDTH * (double)p->blocks[row] / (double)p->most);
    range_text(row, range);
    snprintf(percent, sizeof percent, "%.*f", part < 0.995 ? 2 : 1, part);
    if (part < 0.005)
        snprintf(percent, sizeof percent, "<0.01");
    memset(bar, '#', BAR_WIDTH);
    bar[width] = '\0';
    fprintf(out, "%11s %7s %% %-*s", range, percent, pad ? BAR_WIDTH : 0, bar);
    return row + 1;
}

static unsigned rows_of(const struct powers *p) {
    unsigned rows = 0;
    for (unsigned i = 0; i <= POWERS; i++)
        rows += p->blocks[i] > 0;
    return rows;
}

static void put_histograms(FILE *out, const struct hm_summary *s) {
    struct powers sizes = powers_of(&s->sizes);
    struct powers lives = powers_of(&s->life_bytes);
    unsigned rows = rows_of(&sizes);
    unsigned life_rows = rows_of(&lives);
    unsigned size_row = 0;
    unsigned life_row = 0;
    if (!rows)
        return;
    fprintf(out, "\n%11s %9s%*s%11s %9s\n", "size, bytes", "blocks", 20, "", "life, bytes",
            life_rows ? "blocks" : "none died");
    for (unsigned i = 0; i < rows || i < life_rows; i++) {
        bool has_life = i < life_rows;
        size_row = put_power(out, &sizes, size_row, has_life);
        fputs(has_life ? "   " : "", out);
        if (has_life)
            life_row = put_power(out, &lives, life_row, false);
        fputc('\n', out);
    }
}

static const double parts[] = {0.1, 0.5, 0.9, 0.99};

static void put_quantiles(FILE *out, const char *name, const struct hm_census_histogram *h,
                          unsigned kilo) {
    if (hm_census_quantile(h, 1) == UINT64_MAX)
        return;
    fprintf(out, "%-28s", name);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char text[HM_TRACE_SHORT];
        uint64_t value = hm_census_quantile(h, parts[i]);
        fprintf(out, "%12s",
                kilo ? hm_trace_short_text(value, kilo, text) : hm_trace_time_text(value, text));
    }
    fputc('\n', out);
}

static void put_all_quantiles(FILE *out, const struct hm_summary *s, bool has_times) {
    fprintf(out, "\n%-28s%12s%12s%12s%12s\n", "", "10 %", "median", "90 %", "99 %");
    put_quantiles(out, "size, bytes", &s->sizes, 1024);
    put_quantiles(out, "life, bytes allocated", &s->life_bytes, 1024);
    put_quantiles(out, "life, operations", &s->life_operations, 1000);
    if (has_times)
        put_quantiles(out, "life, time", &s->life_ns, 0);
    fputs("\nlife: of blocks that died, between birth and death; a resized block is born\n"
          "again. Each number is at most a fifth below the true one.\n",
          out);
}

static void put_threads(FILE *out, const struct hm_summary *s) {
    uint64_t count = s->totals.threads;
    if (count < 2)
        return;
    fprintf(out, "\n%-12s%14s%14s%14s%14s\n", "thread", "operations", "allocations", "frees",
            "bytes");
    for (uint64_t i = 0; i < count && i < THREADS_SHOWN; i++) {
        const struct hm_summary_thread *t = &s->threads[i];
        char text[4][HM_TRACE_SHORT];
        fprintf(out, "%-12" PRIu64 "%14s%14s%14s%14s\n", i,
                hm_trace_count_text(t->operations, text[0]),
                hm_trace_count_text(t->allocations, text[1]),
                hm_trace_count_text(t->frees, text[2]), hm_trace_bytes_text(t->bytes, text[3]));
    }
    if (count > THREADS_SHOWN)
        fprintf(out, "and %" PRIu64 " more; --format json has all\n", count - THREADS_SHOWN);
}

void hm_summary_put_table(FILE *out, const struct hm_summary *s, const struct hm_trace_facts *facts,
                          const char *path) {
    put_fact(out, "trace", path);
    put_fact(out, "program", facts->program);
    put_fact(out, "command", facts->command);
    put_recorded(out, facts);
    put_end(out, s, facts);
    put_file(out, s, facts);
    fputc('\n', out);
    put_counts(out, s);
    put_kinds(out, s);
    put_threads(out, s);
    put_histograms(out, s);
    if (s->totals.allocations)
        put_all_quantiles(out, s, facts->has_times);
}

/* ---- JSON ---- */

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

/* Texts of a trace need not be UTF-8. */
static json_t *text_json(const char *text) {
    json_t *json = json_string(text);
    char *safe = NULL;
    size_t size = 0;
    FILE *out = json ? NULL : open_memstream(&safe, &size);
    if (out) {
        hm_trace_put_text(out, text, "", SIZE_MAX);
        fclose(out);
        json = json_string(safe);
    }
    free(safe);
    return json;
}

static void set_facts(json_t *json, const struct hm_summary *s,
                      const struct hm_trace_facts *facts) {
    char hash[HM_TRACE_SHORT];
    snprintf(hash, sizeof hash, "%016" PRIx64, s->totals.hash);
    json_object_set_new(json, "program", text_json(facts->program));
    json_object_set_new(json, "command", text_json(facts->command));
    json_object_set_new(json, "recorder", text_json(facts->recorder));
    json_object_set_new(json, "machine", text_json(facts->machine));
    json_object_set_new(json, "pid", number(facts->pid));
    json_object_set_new(json, "started_utc", json_integer((json_int_t)facts->started_utc));
    json_object_set_new(json, "page_bytes", number(facts->page_bytes));
    json_object_set_new(json, "has_times", json_boolean(facts->has_times));
    json_object_set_new(json, "has_stacks", json_boolean(facts->has_stacks));
    json_object_set_new(json, "end", json_string(end_names[s->totals.end]));
    json_object_set_new(json, "status", json_integer(s->totals.status));
    json_object_set_new(json, "hash", json_string(hash));
    json_object_set_new(json, "file_bytes", number(s->file_bytes));
}

static void set_totals(json_t *json, const struct hm_summary *s) {
    const struct hm_trace_totals *t = &s->totals;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"operations", t->operations},
                   {"allocations", t->allocations},
                   {"frees", t->frees},
                   {"bytes", t->bytes},
                   {"peak_bytes", t->peak_bytes},
                   {"peak_blocks", t->peak_blocks},
                   {"blocks", t->blocks},
                   {"threads", t->threads},
                   {"stacks", t->stacks},
                   {"failed", t->failed},
                   {"null_frees", t->null_frees},
                   {"foreign", t->foreign},
                   {"inherited", t->inherited},
                   {"cross_thread_frees", t->cross_thread_frees},
                   {"duration_ns", t->duration_ns},
                   {"dropped", t->dropped},
                   {"end_blocks", s->end_blocks},
                   {"end_bytes", s->end_bytes},
                   {"end_inherited_blocks", s->end_inherited}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(json, numbers[i].name, number(numbers[i].value));
}

static json_t *kinds_json(const struct hm_summary *s) {
    json_t *json = json_object();
    for (unsigned k = 0; k < HM_TRACE_KINDS; k++)
        json_object_set_new(json, hm_trace_kind_names[k], number(s->kinds[k]));
    return json;
}

static json_t *threads_json(const struct hm_summary *s) {
    json_t *list = json_array();
    for (uint64_t i = 0; i < s->totals.threads; i++) {
        const struct hm_summary_thread *t = &s->threads[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:o}", "operations", number(t->operations),
                                        "allocations", number(t->allocations), "frees",
                                        number(t->frees), "bytes", number(t->bytes)));
    }
    return list;
}

/* Buckets that hold something: low, high, blocks, bytes. */
static json_t *histogram_json(const struct hm_census_histogram *h) {
    json_t *list = json_array();
    for (unsigned i = 0; i < HM_CENSUS_BUCKETS; i++)
        if (h->blocks[i])
            json_array_append_new(list, json_pack("[o, o, o, o]", number(hm_census_low(i)),
                                                  number(hm_census_high(i)), number(h->blocks[i]),
                                                  number(h->bytes[i])));
    return list;
}

void hm_summary_put_json(FILE *out, const struct hm_summary *s,
                         const struct hm_trace_facts *facts) {
    json_t *json = json_object();
    set_facts(json, s, facts);
    set_totals(json, s);
    json_object_set_new(json, "calls", kinds_json(s));
    json_object_set_new(json, "by_thread", threads_json(s));
    json_object_set_new(json, "sizes", histogram_json(&s->sizes));
    json_object_set_new(json, "life_operations", histogram_json(&s->life_operations));
    json_object_set_new(json, "life_bytes", histogram_json(&s->life_bytes));
    if (facts->has_times)
        json_object_set_new(json, "life_ns", histogram_json(&s->life_ns));
    json_dumpf(json, out, JSON_INDENT(1));
    fputc('\n', out);
    json_decref(json);
}
