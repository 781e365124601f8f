/* Sites in their order, and how they are shown. */
#include "harness/trace/top_show.h"
#include "harness/results/csv.h"
#include "harness/trace/text.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    PAGE_WIDTH = 80,
    NAME_COLUMN = 49, /* where a site's name begins */
    CALLERS_MAX = 16, /* of a stack that are shown */
    COMMAND_BYTES = 200,
};

const char *const hm_top_sort_names[HM_TOP_SORTS] = {
    [HM_TOP_BYTES] = "bytes",         [HM_TOP_BLOCKS] = "blocks",
    [HM_TOP_PEAK] = "peak",           [HM_TOP_OWN] = "own",
    [HM_TOP_CHURN] = "churn",         [HM_TOP_LIVE] = "live",
    [HM_TOP_TEMPORARY] = "temporary",
};

/* ---- Order ---- */

double hm_top_churn(const struct hm_site *site) {
    return site->peak_bytes ? (double)site->bytes / (double)site->peak_bytes : 0;
}

static double key_of(const struct hm_site *site, enum hm_top_sort sort) {
    switch (sort) {
    case HM_TOP_BLOCKS:
        return (double)site->blocks;
    case HM_TOP_PEAK:
        return (double)site->at_peak_bytes;
    case HM_TOP_OWN:
        return (double)site->peak_bytes;
    case HM_TOP_CHURN:
        return hm_top_churn(site);
    case HM_TOP_LIVE:
        return (double)site->live_bytes;
    case HM_TOP_TEMPORARY:
        return (double)site->temporary_blocks;
    default:
        return (double)site->bytes;
    }
}

static int compare(const void *a, const void *b, void *arg) {
    const struct hm_top_row *x = a;
    const struct hm_top_row *y = b;
    double first = key_of(x->site, *(enum hm_top_sort *)arg);
    double second = key_of(y->site, *(enum hm_top_sort *)arg);
    if (first != second)
        return first > second ? -1 : 1;
    return strcmp(x->name, y->name);
}

int hm_top_list_make(struct hm_top_list *out, const struct hm_sum *sum, enum hm_top_sort sort) {
    size_t count = hm_groups_count(sum->groups);
    struct hm_top_row *rows = calloc(count + 1, sizeof *rows);
    if (!rows)
        return ENOMEM;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct hm_top_row){hm_sites_at(sum->sites, i),
                                      hm_groups_name(sum->groups, (uint32_t)i)};
    qsort_r(rows, count, sizeof *rows, compare, &sort);
    *out = (struct hm_top_list){sum, sort, rows, count};
    return 0;
}

void hm_top_list_free(struct hm_top_list *list) {
    free(list->rows);
}

/* ---- The table ---- */

static int page_width(FILE *out) {
    struct winsize window;
    int file = fileno(out);
    bool wide = file >= 0 && isatty(file) && ioctl(file, TIOCGWINSZ, &window) == 0 &&
                window.ws_col > PAGE_WIDTH;
    return wide ? window.ws_col : PAGE_WIDTH;
}

static void put_share(FILE *out, const struct hm_top_list *list, const struct hm_site *site) {
    double all = key_of(hm_sites_all(list->sum->sites), list->sort);
    bool adds_up = list->sort != HM_TOP_OWN && list->sort != HM_TOP_CHURN;
    if (adds_up && all > 0)
        fprintf(out, "%5.1f%%", 100 * key_of(site, list->sort) / all);
    else
        fprintf(out, "%6s", "");
}

static void put_number(FILE *out, int width, uint64_t value, unsigned kilo) {
    char text[HM_TRACE_SHORT];
    fprintf(out, "%*s", width, hm_trace_short_text(value, kilo, text));
}

static void put_churn(FILE *out, double churn) {
    if (churn < 99.95)
        fprintf(out, "%7.1f", churn);
    else
        put_number(out, 7, (uint64_t)(churn + 0.5), 1000);
}

static double life_of(const struct hm_site *site) {
    return site->born ? site->life_operations / (double)site->born : 0;
}

static void put_numbers(FILE *out, const struct hm_top_list *list, const struct hm_site *s) {
    put_share(out, list, s);
    put_number(out, 8, s->bytes, 1024);
    put_number(out, 7, s->blocks, 1000);
    if (list->sort != HM_TOP_OWN)
        put_number(out, 7, s->at_peak_bytes, 1024);
    else if (s->peak_bytes || !s->born)
        put_number(out, 7, s->peak_bytes, 1024);
    else
        fprintf(out, "%7s", "");
    put_number(out, 7, s->live_bytes, 1024);
    if (s->blocks)
        fprintf(out, "%4.0f%%", 100 * (double)s->temporary_blocks / (double)s->blocks);
    else
        fprintf(out, "%5s", "");
    if (list->sort != HM_TOP_CHURN)
        put_number(out, 7, (uint64_t)(life_of(s) + 0.5), 1000);
    else if (s->peak_bytes || !s->bytes)
        put_churn(out, hm_top_churn(s));
    else
        fprintf(out, "%7s", "");
    fputs("  ", out);
}

/* The end, ` file.c:12`, stays; of the rest as much as there is room for. */
static void put_name(FILE *out, const char *name, size_t length, int room) {
    const char *blank = memrchr(name, ' ', length);
    size_t tail = blank ? length - (size_t)(blank - name) : 0;
    size_t width = (size_t)room;
    if (length <= width)
        fprintf(out, "%.*s\n", (int)length, name);
    else if (tail && tail + 8 < width)
        fprintf(out, "%.*s..%.*s\n", (int)(width - tail - 2), name, (int)tail, blank);
    else
        fprintf(out, "%.*s..\n", (int)width - 2, name);
}

/* Where the last frame of a stack's name begins, which is the innermost. */
static const char *last_frame(const char *name, size_t length) {
    const char *semicolon = memrchr(name, ';', length);
    return semicolon ? semicolon + 1 : name;
}

static void put_stack(FILE *out, const char *name, int width) {
    const char *frame = last_frame(name, strlen(name));
    put_name(out, frame, strlen(frame), width - NAME_COLUMN);
    for (int i = 0; frame > name; i++) {
        size_t length = (size_t)(frame - 1 - name);
        if (i == CALLERS_MAX) {
            size_t more = 1;
            for (size_t k = 0; k < length; k++)
                more += name[k] == ';';
            fprintf(out, "        .. and %zu more\n", more);
            return;
        }
        frame = last_frame(name, length);
        fputs("        from ", out);
        put_name(out, frame, length - (size_t)(frame - name), width - 13);
    }
}

static void put_label(FILE *out, const struct hm_top_list *list, const char *name, int width) {
    switch (list->sum->by) {
    case HM_BY_STACK:
        put_stack(out, name, width);
        break;
    case HM_BY_SIZE:
        fprintf(out, "%s byte%s\n", name, strcmp(name, "1") == 0 ? "" : "s");
        break;
    case HM_BY_THREAD:
        fprintf(out, "thread %s\n", name);
        break;
    default:
        put_name(out, name, strlen(name), width - NAME_COLUMN);
    }
}

/* Peaks of their own do not add up: there is none of the sum. */
static void add_site(struct hm_site *sum, const struct hm_site *one) {
    sum->blocks += one->blocks;
    sum->bytes += one->bytes;
    sum->live_blocks += one->live_blocks;
    sum->live_bytes += one->live_bytes;
    sum->at_peak_blocks += one->at_peak_blocks;
    sum->at_peak_bytes += one->at_peak_bytes;
    sum->temporary_blocks += one->temporary_blocks;
    sum->born += one->born;
    sum->life_operations += one->life_operations;
}

static void put_title(FILE *out, const struct hm_sum *sum) {
    const struct hm_trace_facts *facts = hm_trace_facts(sum->reader);
    const struct hm_site *all = hm_sites_all(sum->sites);
    const char *what = facts->command[0] ? facts->command : facts->program;
    char text[4][HM_TRACE_SHORT];
    if (what[0]) {
        hm_trace_put_text(out, what, "", COMMAND_BYTES);
        fputc('\n', out);
    }
    fprintf(out, "%s blocks of %s; at most %s live; %s left at the end\n\n",
            hm_trace_count_text(all->blocks, text[0]), hm_trace_bytes_text(all->bytes, text[1]),
            hm_trace_bytes_text(all->peak_bytes, text[2]),
            hm_trace_bytes_text(all->live_bytes, text[3]));
}

/* Words in lines of a page. */
static void put_folded(FILE *out, const char *text) {
    int column = 0;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column && column + 1 + word > PAGE_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += fprintf(out, "%s%.*s", column ? " " : "", word, text);
        text += word + (text[word] == ' ');
    }
    fputc('\n', out);
}

static void put_legend(FILE *out, const struct hm_top_list *list) {
    static const char *const shares[HM_TOP_SORTS] = {
        [HM_TOP_BYTES] = "share: of bytes. ",
        [HM_TOP_BLOCKS] = "share: of blocks. ",
        [HM_TOP_PEAK] = "share: of what is live at the peak. ",
        [HM_TOP_OWN] = "",
        [HM_TOP_CHURN] = "",
        [HM_TOP_LIVE] = "share: of what is left. ",
        [HM_TOP_TEMPORARY] = "share: of temporary blocks. ",
    };
    char text[512];
    snprintf(text, sizeof text,
             "%s%s. left: bytes never freed. temp: of its blocks, freed at once. %s.",
             shares[list->sort],
             list->sort == HM_TOP_OWN ? "own: the most that was live of the site at a time"
                                      : "peak: live when the whole heap was largest",
             list->sort == HM_TOP_CHURN ? "churn: bytes for each byte of the site's own peak"
                                        : "life: mean, in operations");
    fputc('\n', out);
    put_folded(out, text);
}

void hm_top_put_table(FILE *out, const struct hm_top_list *list, size_t rows) {
    int width = page_width(out);
    struct hm_site others = {0};
    put_title(out, list->sum);
    fprintf(out, "%6s%8s%7s%7s%7s%5s%7s  %s\n", "share", "bytes", "blocks",
            list->sort == HM_TOP_OWN ? "own" : "peak", "left", "temp",
            list->sort == HM_TOP_CHURN ? "churn" : "life", hm_by_names[list->sum->by]);
    for (size_t i = 0; i < list->count; i++) {
        if (i >= rows) {
            add_site(&others, list->rows[i].site);
            continue;
        }
        put_numbers(out, list, list->rows[i].site);
        put_label(out, list, list->rows[i].name, width);
    }
    if (rows < list->count) {
        put_numbers(out, list, &others);
        fprintf(out, "%zu others\n", list->count - rows);
    }
    put_numbers(out, list, hm_sites_all(list->sum->sites));
    fputs("all\n", out);
    put_legend(out, list);
}

/* ---- CSV and JSON ---- */

static double mean(double sum, uint64_t count) {
    return count ? sum / (double)count : NAN;
}

static double mean_life_ns(const struct hm_top_list *list, const struct hm_site *site) {
    return hm_trace_facts(list->sum->reader)->has_times ? mean(site->life_ns, site->born) : NAN;
}

void hm_top_put_csv(FILE *out, const struct hm_top_list *list, size_t rows) {
    fprintf(out,
            "%s,bytes,blocks,peak_bytes,peak_blocks,own_peak_bytes,live_bytes,live_blocks,"
            "temporary_bytes,temporary_blocks,mean_life_operations,mean_life_ns\n",
            hm_by_names[list->sum->by]);
    for (size_t i = 0; i < rows; i++) {
        const struct hm_site *s = list->rows[i].site;
        const uint64_t numbers[] = {s->bytes,          s->blocks,          s->at_peak_bytes,
                                    s->at_peak_blocks, s->peak_bytes,      s->live_bytes,
                                    s->live_blocks,    s->temporary_bytes, s->temporary_blocks};
        hm_csv_put_text(out, list->rows[i].name);
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            fprintf(out, ",%llu", (unsigned long long)numbers[k]);
        fputc(',', out);
        hm_csv_put_number(out, mean(s->life_operations, s->born));
        fputc(',', out);
        hm_csv_put_number(out, mean_life_ns(list, s));
        fputc('\n', out);
    }
}

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

static json_t *real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* A name need not be UTF-8. */
static json_t *text(const char *name) {
    json_t *json = json_string(name);
    char *plain = json ? NULL : strdup(name);
    for (char *at = plain; at && *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    if (plain)
        json = json_string(plain);
    free(plain);
    return json;
}

static json_t *site_json(const struct hm_top_list *list, const struct hm_site *s) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "bytes",
                     number(s->bytes), "blocks", number(s->blocks), "peak_bytes",
                     number(s->at_peak_bytes), "peak_blocks", number(s->at_peak_blocks),
                     "own_peak_bytes", number(s->peak_bytes), "live_bytes", number(s->live_bytes),
                     "live_blocks", number(s->live_blocks), "temporary_bytes",
                     number(s->temporary_bytes), "temporary_blocks", number(s->temporary_blocks),
                     "mean_life_operations", real(mean(s->life_operations, s->born)),
                     "mean_life_ns", real(mean_life_ns(list, s)));
}

int hm_top_put_json(FILE *out, const struct hm_top_list *list, size_t rows) {
    const struct hm_trace_facts *facts = hm_trace_facts(list->sum->reader);
    json_t *array = json_array();
    for (size_t i = 0; i < rows; i++) {
        json_t *row = site_json(list, list->rows[i].site);
        json_object_set_new(row, "name", text(list->rows[i].name));
        json_array_append_new(array, row);
    }
    json_t *json =
        json_pack("{s:o, s:o, s:s, s:s, s:I, s:o, s:o}", "program", text(facts->program), "command",
                  text(facts->command), "by", hm_by_names[list->sum->by], "sort",
                  hm_top_sort_names[list->sort], "count", (json_int_t)list->count, "all",
                  site_json(list, hm_sites_all(list->sum->sites)), "rows", array);
    int bad = json && json_dumpf(json, out, JSON_INDENT(1)) == 0 ? 0 : ENOMEM;
    fputc('\n', out);
    json_decref(json);
    return bad;
}
