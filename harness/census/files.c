/* The census as CSV, and what its figure needs to know. */
#include "harness/census/show.h"

#include "harness/report/context.h"
#include "harness/results/csv.h"

#include <inttypes.h>

static void put_identity(FILE *out, const struct hm_census *c) {
    char params[HM_SPEC_BYTES];
    hm_params_format(c->workload.part->params, &c->workload.params, params, sizeof params);
    hm_csv_put_text(out, c->workload.text);
    fputc(',', out);
    hm_csv_put_text(out, params);
    fputc(',', out);
    hm_csv_put_text(out, c->collector.part ? c->collector.text : "-");
    fprintf(out, ",%u", c->threads);
}

static void put_counts(FILE *out, const struct hm_census_counts *n) {
    fprintf(out,
            ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
            ",%" PRIu64,
            hm_census_births(n), n->bytes, n->mallocs, n->callocs, n->aligned, n->reallocs,
            n->frees, n->crossed);
}

static void put_all(FILE *out, const struct hm_census *c) {
    const struct hm_census_record *r = &c->record;
    put_identity(out, c);
    fprintf(out, ",-1,%" PRIu64 ",%" PRIu64 ",%" PRIu64, c->seed, c->units, c->operations);
    put_counts(out, &r->counts);
    if (r->min_bytes == UINT64_MAX)
        fputs(",NA,NA", out);
    else
        fprintf(out, ",%" PRIu64 ",%" PRIu64, r->min_bytes, r->max_bytes);
    fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
            r->peak_bytes, r->peak_blocks, r->live_bytes, r->live_blocks, r->setup_events,
            r->events);
}

static void put_thread(FILE *out, const struct hm_census *c, unsigned thread) {
    put_identity(out, c);
    fprintf(out, ",%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64, thread, c->seed, c->units, c->operations);
    put_counts(out, &c->record.threads[thread]);
    fputs(",NA,NA,NA,NA,NA,NA,NA,NA\n", out);
}

void hm_census_put_csv(FILE *out, const struct hm_census *const *all, size_t count) {
    fputs("workload,params,collector,threads,thread,seed,units,operations,born_blocks,born_bytes,"
          "mallocs,callocs,aligned,reallocs,frees,crossed,min_bytes,max_bytes,peak_live_bytes,"
          "peak_live_blocks,end_live_bytes,end_live_blocks,setup_events,events\n",
          out);
    for (size_t i = 0; i < count; i++) {
        put_all(out, all[i]);
        for (unsigned t = 0; t < all[i]->record.thread_count; t++)
            put_thread(out, all[i], t);
    }
}

static const struct {
    const char *name;
    size_t offset;
} histograms[] = {
    {"size_bytes", offsetof(struct hm_census_record, sizes)},
    {"life_bytes", offsetof(struct hm_census_record, life_bytes)},
    {"life_births", offsetof(struct hm_census_record, life_births)},
};
enum {
    HISTOGRAMS = sizeof histograms / sizeof *histograms,
};

static const struct hm_census_histogram *histogram_of(const struct hm_census *c, size_t which) {
    const char *record = (const char *)&c->record;
    return (const struct hm_census_histogram *)(const void *)(record + histograms[which].offset);
}

static void put_histogram(FILE *out, const struct hm_census *c, size_t which) {
    const struct hm_census_histogram *h = histogram_of(c, which);
    for (unsigned i = 0; i < HM_CENSUS_BUCKETS; i++) {
        if (!h->blocks[i])
            continue;
        put_identity(out, c);
        fprintf(out, ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                histograms[which].name, hm_census_low(i), hm_census_high(i), h->blocks[i],
                h->bytes[i]);
    }
}

void hm_census_put_histogram_csv(FILE *out, const struct hm_census *const *all, size_t count) {
    fputs("workload,params,collector,threads,quantity,low,high,blocks,bytes\n", out);
    for (size_t i = 0; i < count; i++)
        for (size_t which = 0; which < HISTOGRAMS; which++)
            put_histogram(out, all[i], which);
}

void hm_census_put_live_csv(FILE *out, const struct hm_census *const *all, size_t count) {
    fputs("workload,params,collector,threads,event,low_bytes,high_bytes,high_blocks\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct hm_census_record *r = &all[i]->record;
        for (unsigned k = 0; k < r->interval_count; k++) {
            put_identity(out, all[i]);
            fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                    k * r->interval_events, r->intervals[k].low_bytes, r->intervals[k].high_bytes,
                    r->intervals[k].high_blocks);
        }
    }
}

/* ---- For gnuplot ---- */

static unsigned rows_of(const struct hm_census_histogram *h) {
    unsigned rows = 0;
    for (unsigned i = 0; i < HM_CENSUS_BUCKETS; i++)
        rows += h->blocks[i] > 0;
    return rows;
}

static void put_work(FILE *out, const struct hm_census *c, size_t number, unsigned *histogram_row,
                     unsigned *live_row) {
    const struct hm_census_record *r = &c->record;
    unsigned rows = 0;
    for (size_t which = 0; which < HISTOGRAMS; which++)
        rows += rows_of(histogram_of(c, which));
    fprintf(out, "work_name[%zu] = ", number);
    hm_context_put_text(out, c->workload.text);
    fprintf(out, "\nwork_note[%zu] = ", number);
    hm_context_put_text(out, c->collector.part ? c->collector.text : "");
    fprintf(out, "\nwork_threads[%zu] = %u\nwork_peak[%zu] = %.17g\nwork_begin[%zu] = %.17g\n",
            number, c->threads, number, (double)r->peak_bytes, number,
            r->events ? 100.0 * (double)r->setup_events / (double)r->events : 0.0);
    fprintf(out, "work_events[%zu] = %.17g\nwork_step[%zu] = %.17g\n", number, (double)r->events,
            number, (double)r->interval_events);
    fprintf(out, "hist_from[%zu] = %u\nhist_to[%zu] = %d\nlive_from[%zu] = %u\nlive_to[%zu] = %d\n",
            number, *histogram_row, number, (int)(*histogram_row + rows) - 1, number, *live_row,
            number, (int)(*live_row + r->interval_count) - 1);
    *histogram_row += rows;
    *live_row += r->interval_count;
}

void hm_census_put_context(FILE *out, const struct hm_census *const *all, size_t count,
                           const char *machine, const char *date) {
    static const char *const arrays[] = {"work_name",  "work_note",   "work_threads", "work_peak",
                                         "work_begin", "work_events", "work_step",    "hist_from",
                                         "hist_to",    "live_from",   "live_to"};
    unsigned histogram_row = 0;
    unsigned live_row = 0;
    fputs("run = ''; cores = 0; machine = ", out);
    hm_context_put_text(out, machine);
    fputs("; date = ", out);
    hm_context_put_text(out, date);
    /* What style.gp has of a run: there are no arms here, and gnuplot has no empty array. */
    fputs("\nrows = 1; arms = 1; panels = 1\narray arm_name[1] = ['']; array arm_kind[1] = [0]\n",
          out);
    fprintf(out, "works = %zu\n", count);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        fprintf(out, "array %s[%zu]\n", arrays[i], count);
    for (size_t i = 0; i < count; i++)
        put_work(out, all[i], i + 1, &histogram_row, &live_row);
}
