/* The census as a table, and as JSON. */
#include "harness/census/show.h"

#include <math.h>
#include <string.h>

enum {
    NAME_WIDTH = 20,
};

uint64_t hm_census_quantile(const struct hm_census_histogram *histogram, double part) {
    uint64_t all = 0;
    uint64_t below = 0;
    for (unsigned i = 0; i < HM_CENSUS_BUCKETS; i++)
        all += histogram->blocks[i];
    for (unsigned i = 0; all && i < HM_CENSUS_BUCKETS; i++) {
        below += histogram->blocks[i];
        if ((double)below >= part * (double)all)
            return hm_census_low(i);
    }
    return UINT64_MAX;
}

double hm_census_crossed(const struct hm_census_counts *counts) {
    uint64_t deaths = counts->frees + counts->reallocs;
    return deaths ? (double)counts->crossed / (double)deaths : NAN;
}

/* ---- The table ---- */

/* Three digits and a prefix, in a column. */
static void put_short(FILE *out, int width, uint64_t value, unsigned kilo) {
    static const char prefixes[] = " KMGTPE";
    double rest = (double)value;
    size_t prefix = 0;
    if (value == UINT64_MAX) {
        fprintf(out, "%*s", width, "NA");
        return;
    }
    for (; rest >= (value < UINT64_C(10) * kilo ? 10.0 * kilo : kilo) && prefix < 6; prefix++)
        rest /= kilo;
    if (prefix)
        fprintf(out, "%*.3g%c", width - 1, rest >= 999.5 ? round(rest) : rest, prefixes[prefix]);
    else
        fprintf(out, "%*.0f", width, rest);
}

static void put_name(FILE *out, const char *name) {
    if (strlen(name) > NAME_WIDTH)
        fprintf(out, "%s\n%*s", name, NAME_WIDTH, "");
    else
        fprintf(out, "%-*s", NAME_WIDTH, name);
}

static void put_row(FILE *out, const struct hm_census *c) {
    const struct hm_census_record *r = &c->record;
    double crossed = hm_census_crossed(&r->counts);
    put_name(out, c->workload.text);
    put_short(out, 9, hm_census_births(&r->counts), 1000);
    put_short(out, 8, hm_census_quantile(&r->sizes, 0.5), 1024);
    put_short(out, 8, r->max_bytes ? r->max_bytes : UINT64_MAX, 1024);
    put_short(out, 9, hm_census_quantile(&r->life_bytes, 0.5), 1024);
    put_short(out, 8, hm_census_quantile(&r->life_bytes, 0.9), 1024);
    put_short(out, 10, r->peak_bytes, 1024);
    if (isnan(crossed))
        fprintf(out, "%8s\n", "NA");
    else
        fprintf(out, "%6.0f %%\n", 100 * crossed);
}

void hm_census_put_table(FILE *out, const struct hm_census *const *all, size_t count) {
    fprintf(out, "%*s%9s%16s%17s%10s%8s\n", NAME_WIDTH, "", "blocks", "size, bytes", "life, bytes",
            "peak live", "other's");
    fprintf(out, "%-*s%9s%8s%8s%9s%8s%10s%8s\n", NAME_WIDTH, "workload", "born", "median", "most",
            "median", "90 %", "bytes", "frees");
    for (size_t i = 0; i < count; i++)
        put_row(out, all[i]);
    fputs("\nborn: after the set-up; a resized block is born again. life: bytes allocated\n"
          "between birth and death. other's frees: on another thread than the birth.\n",
          out);
}

/* ---- JSON ---- */

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

static json_t *counts_json(const struct hm_census_counts *c) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "born_blocks",
                     number(hm_census_births(c)), "born_bytes", number(c->bytes), "mallocs",
                     number(c->mallocs), "callocs", number(c->callocs), "aligned",
                     number(c->aligned), "reallocs", number(c->reallocs), "frees", number(c->frees),
                     "crossed", number(c->crossed));
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

static json_t *live_json(const struct hm_census_record *r) {
    json_t *list = json_array();
    for (unsigned i = 0; i < r->interval_count; i++)
        json_array_append_new(list, json_pack("[o, o, o]", number(i * r->interval_events),
                                              number(r->intervals[i].low_bytes),
                                              number(r->intervals[i].high_bytes)));
    return list;
}

static json_t *quantiles_json(const struct hm_census_histogram *h) {
    static const double parts[] = {0.1, 0.5, 0.9, 0.99};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t value = hm_census_quantile(h, parts[i]);
        json_array_append_new(list, value == UINT64_MAX ? json_null() : number(value));
    }
    return list;
}

static json_t *threads_json(const struct hm_census_record *r) {
    json_t *list = json_array();
    for (unsigned i = 0; i < r->thread_count; i++)
        json_array_append_new(list, counts_json(&r->threads[i]));
    return list;
}

static json_t *one_json(const struct hm_census *c) {
    const struct hm_census_record *r = &c->record;
    char params[HM_SPEC_BYTES];
    hm_params_format(c->workload.part->params, &c->workload.params, params, sizeof params);
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "workload", c->workload.text, "params", params,
        "collector", c->collector.part ? c->collector.text : "-", "threads", (int)c->threads,
        "seed", number(c->seed), "units", number(c->units), "operations", number(c->operations));
    json_object_set_new(json, "counts", counts_json(&r->counts));
    json_object_set_new(json, "by_thread", threads_json(r));
    json_object_set_new(json, "min_bytes",
                        r->min_bytes == UINT64_MAX ? json_null() : number(r->min_bytes));
    json_object_set_new(json, "max_bytes",
                        r->min_bytes == UINT64_MAX ? json_null() : number(r->max_bytes));
    json_object_set_new(json, "peak_live_bytes", number(r->peak_bytes));
    json_object_set_new(json, "peak_live_blocks", number(r->peak_blocks));
    json_object_set_new(json, "end_live_bytes", number(r->live_bytes));
    json_object_set_new(json, "end_live_blocks", number(r->live_blocks));
    json_object_set_new(json, "setup_events", number(r->setup_events));
    json_object_set_new(json, "events", number(r->events));
    json_object_set_new(json, "sizes", histogram_json(&r->sizes));
    json_object_set_new(json, "size_quantiles", quantiles_json(&r->sizes));
    json_object_set_new(json, "life_bytes", histogram_json(&r->life_bytes));
    json_object_set_new(json, "life_bytes_quantiles", quantiles_json(&r->life_bytes));
    json_object_set_new(json, "life_births", histogram_json(&r->life_births));
    json_object_set_new(json, "life_births_quantiles", quantiles_json(&r->life_births));
    json_object_set_new(json, "live", live_json(r));
    return json;
}

json_t *hm_census_json(const struct hm_census *const *all, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, one_json(all[i]));
    return json_pack("{s:o}", "workloads", list);
}
