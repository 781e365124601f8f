/* The figures of collectors: what they say is what the run's files have. */
#include "tests/unit/figure_run.h"

#include <ctype.h>

static const char *const figures[] = {"collectors", "mmu", "garbage", "overhead", "warmup"};

/* One cell's median of a metric, over 7 rounds. Allocators are compared under the same collector,
 * collectors on `system`. */
static void put_median(FILE *out, const char *allocator, const char *collector, const char *metric,
                       double median) {
    bool first = strcmp(allocator, "system") == 0;
    fprintf(out,
            "trees/%s/%s/t1/core,%s,%s,trees,,1,%s,ns/op,lower,7,%g,1,1,%g,%g,"
            "trees/system/%s/t1/core,1,1,1,NA\n",
            allocator, collector, allocator, collector, metric, median, median / 1.1, median * 1.1,
            first ? "none" : collector);
}

/* Two allocators and three collectors, of which one timed out on `pool`; and the harness' own rows,
 * which would be the fastest. */
static void put_matrix(void) {
    static const struct {
        const char *allocator, *collector;
        double mutator_ns, collector_ns;
    } cells[] = {{"system", "none", 10, 0},         {"pool", "none", 8, 0},
                 {"system", "refcount", 20, 0},     {"pool", "refcount", 16, 0},
                 {"system", "generational", 25, 5}, {"system#2", "none", 1, 0},
                 {"floor", "none", 0.5, 0}};
    FILE *out = fopen(in_folder("stats.csv"), "we");
    assert_non_null(out);
    fputs(STATS_HEAD, out);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        const char *allocator = cells[i].allocator;
        const char *collector = cells[i].collector;
        double time_ns = cells[i].mutator_ns + cells[i].collector_ns;
        put_median(out, allocator, collector, "time_ns", time_ns);
        put_median(out, allocator, collector, "mutator_ns", cells[i].mutator_ns);
        put_median(out, allocator, collector, "collector_ns", cells[i].collector_ns);
        put_median(out, allocator, collector, "lower_bound_overhead",
                   time_ns / (*allocator == 'p' ? 8 : 10));
    }
    assert_int_equal(fclose(out), 0);
    put_file("samples.csv",
             SAMPLES_HEAD "1,r,trees/pool/generational/t1/core,pool,generational,trees,,1,core,0,0,"
                          "0,-1,NA,NA,,,NA,timeout,slow,2024-01-01T00:00:00Z\n"
                          "1,r,trees/scudo/none/t1/core,scudo,none,trees,,1,core,0,0,0,-1,NA,NA,,,"
                          "NA,skip,scudo is not here,2024-01-01T00:00:00Z\n");
    put_file("run.json", "{\"run\": \"run-7\", \"rounds\": 7, \"started_utc\": \"2024-01-02T\","
                         " \"machine\": {\"cpu_model\": \"Abacus\", \"cores\": 4}}");
}

static void expect_texts(const char *figure, const char *const *texts) {
    char name[64];
    struct hm_error error;
    assert_int_equal(draw(figure, HM_PLOT_SVG, PLOTS, &error), 0);
    snprintf(name, sizeof name, "plots/%s.svg", figure);
    for (; *texts; texts++)
        if (!holds(name, *texts))
            fail_msg("no '%s' in %s", *texts, figure);
    assert_true(holds(name, "Abacus, 4 cores, 2024-01-02, run run-7"));
    assert_false(holds(name, "nan"));
}

static void test_field_has_time_and_ratio_to_the_fastest_pair(void **state) {
    (void)state;
    put_matrix();
    if (!has_gnuplot())
        skip();
    static const char *const texts[] = {"lower is better",  "n = 7 rounds",
                                        ">trees, 1 thread", "fastest: none on pool",
                                        ">system<",         ">pool<",
                                        ">generational<",   ">8.00<",
                                        ">1.00×<",          ">30.0<",
                                        ">3.75×<",          ">16.0<",
                                        ">2.00×<",          NULL};
    expect_texts("collectors", texts);
    assert_false(holds("plots/collectors.svg", "floor"));
    assert_false(holds("plots/collectors.svg", "again"));
}

/* The palette's ends, as SVG writes them. */
static void test_fastest_field_is_lightest_and_slowest_is_darkest(void **state) {
    (void)state;
    struct hm_error error;
    put_matrix();
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("collectors", HM_PLOT_SVG, PLOTS, &error), 0);
    /* Once in the key, and once in the field. */
    static const char *const fills[] = {"fill = 'rgb(255, 255, 217)'",
                                        "fill = 'rgb(  8,  29,  88)'"};
    char *svg = get_file("plots/collectors.svg");
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        unsigned found = 0;
        for (const char *at = svg; (at = strstr(at, fills[i])); at++)
            found++;
        assert_int_equal(found, 2);
    }
    free(svg);
}

static void test_field_without_a_time_says_why(void **state) {
    (void)state;
    put_matrix();
    if (!has_gnuplot())
        skip();
    static const char *const texts[] = {
        ">failed<", ">timeout<", ">not run<", ">scudo<", "not run: scudo is not here", NULL};
    expect_texts("collectors", texts);
}

/* Of five windows three rounds have a value, of the sixth one only; and of the whole run, which has another length
 * in each. Between them are rows of other metrics, as in a run. */
static void put_utilisation(void) {
    static const double values[] = {0.9, 0.2, 0.4};
    static const int windows_ns[] = {100000, 177828, 316228, 562341, 1000000, 1778279};
    FILE *out = fopen(in_folder("series.csv"), "we");
    assert_non_null(out);
    fputs(SERIES_HEAD, out);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5 + !round; i++) {
            fprintf(out, "trees/system/generational/t1/core,%d,-1,%d,mmu,0.95,fraction\n", round,
                    windows_ns[i]);
            fprintf(out, "trees/system/generational/t1/core,%d,-1,%d,bmu,%g,fraction\n", round,
                    windows_ns[i], i ? 0.8 : values[round]);
        }
        for (int curve = 0; curve < 2; curve++)
            fprintf(out, "trees/system/generational/t1/core,%d,-1,%d,%s,1,fraction\n", round,
                    round ? 1600000 + round : 2000000, curve ? "mmu" : "bmu");
        fprintf(out, "trees/system/none/t1/core,%d,-1,100000,mmu,1,fraction\n", round);
        fprintf(out, "trees/system/generational/t1/core,%d,0,5,pause_ns,1000,ns\n", round);
    }
    assert_int_equal(fclose(out), 0);
}

static void test_bounded_utilisation_is_the_median_of_all_rounds(void **state) {
    (void)state;
    put_matrix();
    put_utilisation();
    if (!has_gnuplot())
        skip();
    static const char *const texts[] = {"higher is better",       "n = 3 rounds",
                                        ">generational<",         "no pauses: none",
                                        "not measured: refcount", NULL};
    expect_texts("mmu", texts);
    char *text = draw_text("mmu");
    const char *row = strstr(text, " 40 % +");
    assert_non_null(row);
    const char *point = row + strlen(" 40 % +");
    assert_true(isalpha((unsigned char)point[strspn(point, " ")]));
    for (size_t i = 0; i < 2; i++) {
        row = strstr(text, i ? " 20 % +" : " 60 % +");
        assert_non_null(row);
        point = row + strlen(" 20 % +");
        assert_int_equal(point[strspn(point, " ")], '\n');
    }
    /* Four windows at 80 %, not five: the sixth is not of all rounds. */
    row = strstr(text, " 80 % +");
    assert_non_null(row);
    unsigned points = 0;
    for (point = row + strlen(" 80 % +"); point < row + 55 && *point != '\n'; point++)
        points += isalpha((unsigned char)*point) != 0;
    assert_int_equal(points, 4);
    row = strstr(text, "100 % +");
    assert_non_null(row);
    point = row + strlen("100 % +");
    assert_true(isalpha((unsigned char)point[strspn(point, " ")]));
    free(text);
}

static void test_garbage_far_apart_is_on_a_log_scale_and_none_is_a_word(void **state) {
    (void)state;
    put_matrix();
    put_file("series.csv",
             SERIES_HEAD "trees/system/none/t1/core,0,-1,0,garbage_objects,1000,objects\n"
                         "trees/system/none/t1/core,0,-1,0,footprint_bytes,1000,bytes\n"
                         "trees/system/none/t1/core,0,-1,9,garbage_objects,200000,objects\n"
                         "trees/system/generational/t1/core,0,-1,4,garbage_objects,30,objects\n"
                         "trees/system/generational/t1/core,0,-1,8,garbage_objects,10,objects\n"
                         "trees/system/refcount/t1/core,0,-1,4,garbage_objects,0,objects\n");
    if (!has_gnuplot())
        skip();
    static const char *const texts[] = {
        "lower is better",      ">none<", ">generational<", "objects + 1, log scale", ">100 k<",
        "no garbage: refcount", NULL};
    expect_texts("garbage", texts);
}

static void test_overhead_has_both_shares_of_time_and_its_bound(void **state) {
    (void)state;
    put_matrix();
    if (!has_gnuplot())
        skip();
    static const char *const texts[] = {"lower is better",
                                        "n = 7 rounds with its 95 % interval",
                                        ">25.0 + 5.00<",
                                        ">20.0 + 0<",
                                        ">3.00×<",
                                        "1× is 10.0 ns/op, the mutator under none",
                                        NULL};
    expect_texts("overhead", texts);
    assert_false(holds("plots/overhead.svg", "again"));
    char *text = draw_text("overhead");
    assert_non_null(strstr(text, "25.0 + 5.00    3.00x"));
    free(text);
}

/* Two processes of three iterations, of which one changes. */
static void put_iterations(void) {
    FILE *out = fopen(in_folder("series.csv"), "ae");
    assert_non_null(out);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            fprintf(out, "trees/system/generational/t1/core,%d,-1,%d,iteration_ns,%d,ns/op\n",
                    round, 1000000 * i, i || round ? 40 : 4000);
        for (int i = 0; i < 2 - round; i++)
            fprintf(out, "trees/system/generational/t1/core,%d,-1,%d,segment_ns,%d,ns/op\n", round,
                    1000000 * i, i || round ? 40 : 4000);
    }
    assert_int_equal(fclose(out), 0);
    out = fopen(in_folder("samples.csv"), "we");
    assert_non_null(out);
    fputs("cell,allocator,collector,workload,threads,metric,value,status,reason\n", out);
    for (int round = 0; round < 2; round++)
        fprintf(
            out,
            "trees/system/generational/t1/core,system,generational,trees,1,warmup_label,%d,ok,\n"
            "trees/system/generational/t1/core,system,generational,trees,1,warmup_time_ns,40,ok,\n"
            "trees/system/none/t1/core,system,none,trees,1,garbage_trend,1,ok,\n"
            "trees/system/none/t1/core,system,none,trees,1,garbage_peak_objects,9,ok,\n",
            round);
    assert_int_equal(fclose(out), 0);
}

static void test_iterations_are_drawn_with_change_points_and_labels(void **state) {
    (void)state;
    put_matrix();
    put_file("series.csv", SERIES_HEAD);
    put_iterations();
    if (!has_gnuplot())
        skip();
    static const char *const texts[] = {"lower is better", ">generational: 1 flat, 1 warm-up<",
                                        ">2 ms<", NULL};
    expect_texts("warmup", texts);
    char *text = draw_text("warmup");
    const char *high = strstr(text, " 1 k"), *low = strstr(text, " 100");
    assert_non_null(high);
    assert_non_null(low);
    const char *change = strchr(low, '*'); /* where it is fast */
    assert_non_null(change);
    assert_true(change < strstr(text, "*: change point"));
    assert_non_null(strstr(text, "2 processes"));
    free(text);
}

static void test_garbage_that_grows_is_said_to(void **state) {
    (void)state;
    put_matrix();
    put_file("series.csv",
             SERIES_HEAD "trees/system/none/t1/core,0,-1,0,garbage_objects,1000,objects\n"
                         "trees/system/none/t1/core,0,-1,9,garbage_objects,200000,objects\n");
    put_iterations();
    if (!has_gnuplot())
        skip();
    static const char *const texts[] = {"growing: none", NULL};
    expect_texts("garbage", texts);
}

static void test_pauses_are_counted_among_rows_of_other_metrics(void **state) {
    (void)state;
    struct hm_error error;
    put_matrix();
    FILE *out = fopen(in_folder("series.csv"), "we");
    assert_non_null(out);
    fputs(SERIES_HEAD, out);
    /* Two of each process, and then its utilisation: sorted, the middle one is of 30 µs. */
    static const double pauses_us[] = {70, 80, 30, 40, 10, 20, 9, 8, 75, 5, 85};
    for (int i = 0; i < 11; i++) {
        fprintf(out, "trees/system/generational/t1/core,%d,0,%d,pause_ns,%g,ns\n", i / 2, i,
                1e3 * pauses_us[i]);
        if (i % 2)
            fprintf(out, "trees/system/generational/t1/core,%d,-1,100000,mmu,0.5,fraction\n",
                    i / 2);
    }
    assert_int_equal(fclose(out), 0);
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("pauses", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_true(holds("plots/pauses.svg", ">11<"));
    assert_true(holds("plots/pauses.svg", ">30 µs<") || holds("plots/pauses.svg", ">30.1 µs<") ||
                holds("plots/pauses.svg", ">29.9 µs<"));
    assert_true(holds("plots/pauses.svg", ">85 µs<"));
}

static void test_text_of_each_figure_has_at_most_80_columns(void **state) {
    (void)state;
    put_matrix();
    put_utilisation();
    if (!has_gnuplot())
        skip();
    FILE *out = fopen(in_folder("series.csv"), "ae");
    assert_non_null(out);
    fputs("trees/system/none/t1/core,0,-1,9,garbage_objects,7,objects\n"
          "trees/system/none/t1/core,0,-1,9,iteration_ns,7,ns/op\n",
          out);
    assert_int_equal(fclose(out), 0);
    put_iterations();
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        char *text = draw_text(figures[i]);
        assert_non_null(strstr(text, "none"));
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
            if (width_of(line) > 80)
                fail_msg("%s: %s", figures[i], line);
        free(text);
    }
}

static void test_run_without_collectors_has_a_reason_for_each_figure(void **state) {
    (void)state;
    struct hm_error error;
    put_file("stats.csv",
             STATS_HEAD "churn/pool/-/t1/core,pool,-,churn,,1,time_ns,ns/op,lower,6,1,1,1,1,1,"
                        "churn/pool/-/t1/core,1,NA,NA,NA\n");
    if (!has_gnuplot())
        skip();
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        told = (struct told){0};
        assert_int_equal(draw(figures[i], HM_PLOT_FILES, PLOTS, &error), 0);
        assert_int_equal(told.files, 0);
        assert_int_equal(told.skipped, 1);
        assert_non_null(
            strstr(told.reason, strcmp(figures[i], "warmup") == 0 ? "iterations" : "collector"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_field_has_time_and_ratio_to_the_fastest_pair),
        IN_FOLDER(test_fastest_field_is_lightest_and_slowest_is_darkest),
        IN_FOLDER(test_field_without_a_time_says_why),
        IN_FOLDER(test_bounded_utilisation_is_the_median_of_all_rounds),
        IN_FOLDER(test_garbage_far_apart_is_on_a_log_scale_and_none_is_a_word),
        IN_FOLDER(test_overhead_has_both_shares_of_time_and_its_bound),
        IN_FOLDER(test_iterations_are_drawn_with_change_points_and_labels),
        IN_FOLDER(test_garbage_that_grows_is_said_to),
        IN_FOLDER(test_pauses_are_counted_among_rows_of_other_metrics),
        IN_FOLDER(test_text_of_each_figure_has_at_most_80_columns),
        IN_FOLDER(test_run_without_collectors_has_a_reason_for_each_figure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
