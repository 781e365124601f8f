/* The figures: what is written for gnuplot, what gnuplot makes of it, and what happens when it can not. */
#include "harness/report/context.h"
#include "tests/unit/figure_run.h"

static bool stands(const char *name) {
    return access(in_folder(name), F_OK) == 0;
}

/* One row of stats.csv, of operations per second. */
static void put_stat(FILE *out, const char *workload, const char *allocator, double ratio) {
    fprintf(out,
            "%s/%s/-/t1/none,%s,-,%s,,1,ops_per_second,op/s,higher,12,%g,1,1,1e6,3e6,"
            "%s/system/-/t1/none,%g,%g,%g,%s\n",
            workload, allocator, allocator, workload, 2e6 * ratio, workload, ratio, ratio / 1.01,
            ratio * 1.01, ratio > 1.1 ? "faster" : "equivalent");
}

/* A run of one workload on one thread: system, its second copy, a floor, one more, and scudo, which
 * failed. */
static void put_run(const char *workload, const char *allocator) {
    FILE *out = fopen(in_folder("stats.csv"), "we");
    assert_non_null(out);
    fputs(STATS_HEAD, out);
    put_stat(out, workload, "system", 1);
    put_stat(out, workload, "floor", 3);
    put_stat(out, workload, allocator, 1.5);
    put_stat(out, workload, "system#2", 1.002);
    assert_int_equal(fclose(out), 0);
    out = fopen(in_folder("samples.csv"), "we");
    assert_non_null(out);
    fprintf(out,
            SAMPLES_HEAD "1,r,%s/scudo/-/t1/none,scudo,-,%s,,1,none,0,0,0,-1,NA,NA,,,NA,timeout,"
                         "slow,2024-01-01T00:00:00Z\n",
            workload, workload);
    assert_int_equal(fclose(out), 0);
    put_file("run.json",
             "{\"run\": \"run-7\", \"rounds\": 12, \"started_utc\": \"2024-01-02T03:04:05Z\","
             " \"machine\": {\"cpu_model\": \"Abacus & Sons\", \"cores\": 4}}");
}

static void test_text_for_gnuplot_is_one_quoted_string(void **state) {
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    hm_context_put_text(out, "it's `id` \"x\" \\ @y\n!z");
    fclose(out);
    assert_string_equal(text, "'it''s `id` \"x\" \\ @y?!z'");
    free(text);
}

static void test_figure_has_arms_ratios_machine_and_run(void **state) {
    (void)state;
    struct hm_error error;
    put_run("churn", "pool");
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("throughput", HM_PLOT_FILES, PLOTS, &error), 0);
    assert_int_equal(told.files, 2);
    static const char *const texts[] = {"higher is better", "median of n = 12 rounds",
                                        "churn, 1 thread",  "relative to system",
                                        ">pool<",           ">1.50×<",
                                        "floor (harness)",  "system again (A/A)",
                                        "2024-01-02",       "Abacus &amp; Sons, 4 cores",
                                        "run run-7"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!holds("plots/throughput.svg", texts[i]))
            fail_msg("no '%s' in the figure", texts[i]);
    assert_true(stands("plots/throughput.png"));
}

/* Where a point without an interval is drawn, the axis reaches. */
static void test_axis_reaches_a_ratio_that_has_no_interval(void **state) {
    (void)state;
    struct hm_error error;
    put_file("stats.csv",
             STATS_HEAD "w/system/-/t1/none,system,-,w,,1,ops_per_second,op/s,higher,2,1,1,1,NA,NA,"
                        "w/system/-/t1/none,1,NA,NA,NA\n"
                        "w/pool/-/t1/none,pool,-,w,,1,ops_per_second,op/s,higher,2,9,9,9,NA,NA,"
                        "w/system/-/t1/none,9,NA,NA,NA\n");
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("throughput", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_true(holds("plots/throughput.svg", ">8×<"));
    assert_true(holds("plots/throughput.svg", "2 rounds, too few for an interval"));
}

static void test_failed_cell_is_named_and_has_no_ratio(void **state) {
    (void)state;
    struct hm_error error;
    put_run("churn", "pool");
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("throughput", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_true(holds("plots/throughput.svg", ">scudo<"));
    assert_true(holds("plots/throughput.svg", "failed: timeout"));
    assert_false(holds("plots/throughput.svg", ">0.000×<"));
    assert_false(holds("plots/throughput.svg", "nan"));
}

static void test_hostile_names_are_only_text(void **state) {
    (void)state;
    struct hm_error error;
    put_run("w'x`touch owned`_{y}@z&<", "a'b`touch owned`\\_{c}@d^e%s");
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("throughput", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_true(holds("plots/throughput.svg", ">a'b`touch owned`\\_{c}@d^e%s<"));
    assert_true(holds("plots/throughput.svg", ">w'x`touch owned`_{y}@z&amp;&lt;, 1 thread<"));
    assert_false(stands("owned"));
    assert_false(stands("plots/owned"));
}

static void test_hostile_folder_is_only_a_folder(void **state) {
    (void)state;
    struct hm_error error;
    char plain[PATH_MAX];
    snprintf(plain, sizeof plain, "%s", folder);
    snprintf(folder, sizeof folder, "%.2000s/it's `touch owned`\n$(id)", plain);
    assert_int_equal(mkdir(folder, 0700), 0);
    put_run("churn", "pool");
    int bad = has_gnuplot() ? draw("throughput", HM_PLOT_SVG, PLOTS, &error) : 0;
    bool drawn = stands("plots/throughput.svg");
    snprintf(folder, sizeof folder, "%s", plain);
    if (!has_gnuplot())
        skip();
    assert_int_equal(bad, 0);
    assert_true(drawn);
}

static void test_figure_without_data_is_skipped_once_and_leaves_no_old_file(void **state) {
    (void)state;
    struct hm_error error;
    put_run("churn", "pool");
    if (!has_gnuplot())
        skip();
    mkdir(in_folder("plots"), 0700);
    put_file("plots/scaling.svg", "old");
    assert_int_equal(draw("scaling", HM_PLOT_FILES, PLOTS, &error), 0);
    assert_int_equal(told.files, 0);
    assert_int_equal(told.skipped, 1);
    assert_string_equal(told.reason, "the run has one number of threads only");
    assert_false(stands("plots/scaling.svg"));
}

static void test_run_without_results_has_no_figures(void **state) {
    (void)state;
    struct hm_error error;
    put_file("stats.csv", STATS_HEAD);
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw(NULL, HM_PLOT_SVG, PLOTS, &error), 0);
    assert_int_equal(told.files, 0);
    assert_true(told.skipped >= 4);
    assert_string_equal(told.reason, "the run has no results");
}

static void test_pauses_are_counted_and_their_absence_is_said(void **state) {
    (void)state;
    struct hm_error error;
    put_file("stats.csv", STATS_HEAD
             "trees/system/gen/t1/none,system,gen,trees,,1,ops_per_second,op/s,higher,12,1,1,1,1,1,"
             "trees/system/gen/t1/none,1,1,1,NA\n"
             "trees/system/manual/t1/none,system,manual,trees,,1,ops_per_second,op/s,higher,12,2,2,"
             "2,2,2,trees/system/gen/t1/none,2,2,2,faster\n");
    put_file("series.csv", SERIES_HEAD "trees/system/gen/t1/none,0,0,10,pause_ns,1000,ns\n"
                                       "trees/system/gen/t1/none,0,0,20,pause_ns,2000,ns\n"
                                       "trees/system/gen/t1/none,1,0,10,pause_ns,750000,ns\n");
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("pauses", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_true(holds("plots/pauses.svg", ">gen<"));
    assert_true(holds("plots/pauses.svg", ">3<"));
    assert_true(holds("plots/pauses.svg", ">2 µs<"));
    assert_true(holds("plots/pauses.svg", ">750 µs<"));
    assert_true(holds("plots/pauses.svg", ">no pauses<"));
}

static void test_text_figure_has_at_most_80_columns(void **state) {
    (void)state;
    put_run("churn", "a-name-that-is-much-too-long-for-a-line:with=parameters:and=more+of+them");
    if (!has_gnuplot())
        skip();
    char *text = draw_text("throughput");
    assert_non_null(strstr(text, "failed: timeout"));
    assert_non_null(strstr(text, "1.50x"));
    assert_null(strchr(text, '\f'));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        assert_true(width_of(line) <= 80);
    free(text);
}

static void test_missing_gnuplot_has_its_own_code(void **state) {
    (void)state;
    struct hm_error error;
    const char *usual = getenv("PATH");
    char *path = strdup(usual ? usual : "/usr/bin:/bin");
    put_run("churn", "pool");
    setenv("PATH", in_folder("nothing"), 1);
    int bad = draw(NULL, HM_PLOT_FILES, PLOTS, &error);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(bad, ENOENT);
    assert_non_null(strstr(error.line, "gnuplot"));
    assert_int_equal(told.files + told.skipped, 0);
}

static void test_broken_script_is_told_and_spoils_nothing(void **state) {
    (void)state;
    struct hm_error error;
    put_run("churn", "pool");
    if (!has_gnuplot())
        skip();
    mkdir(in_folder("plots"), 0700);
    mkdir(in_folder("scripts"), 0700);
    put_file("scripts/style.gp", "");
    put_file("scripts/broken.gp", "# Broken\nset term svg\nset output output\nplot nonsense\n");
    put_file("scripts/whole.gp", "# Whole\nset term svg\nset output output\nplot x\n");
    put_file("plots/broken.svg", "old");
    char scripts[PATH_MAX];
    snprintf(scripts, sizeof scripts, "%s", in_folder("scripts"));
    assert_int_equal(draw(NULL, HM_PLOT_SVG, scripts, &error), EIO);
    assert_non_null(strstr(error.line, "figure broken"));
    assert_non_null(strstr(error.line, "line 4: undefined variable: nonsense"));
    assert_true(holds("plots/broken.svg", "old"));
    assert_true(stands("plots/whole.svg"));
}

static void test_folder_that_is_no_run_is_refused(void **state) {
    (void)state;
    struct hm_error error;
    assert_int_equal(draw(NULL, HM_PLOT_SVG, PLOTS, &error), EINVAL);
    assert_non_null(strstr(error.line, "stats.csv"));
    assert_false(stands("plots"));
}

static void test_unknown_figure_is_refused(void **state) {
    (void)state;
    struct hm_error error;
    put_run("churn", "pool");
    assert_int_equal(draw("nonsense", HM_PLOT_SVG, PLOTS, &error), EINVAL);
    assert_non_null(strstr(error.line, "nonsense"));
}

static void take_title(void *arg, const char *name, const char *title) {
    unsigned *found = arg;
    *found += strcmp(name, "throughput") == 0 && strncmp(title, "Operations per second", 21) == 0;
    assert_string_not_equal(name, "style");
    assert_int_not_equal(*title, '\0');
}

static void test_list_has_each_script_with_its_title_and_not_the_style(void **state) {
    (void)state;
    unsigned found = 0;
    assert_int_equal(hm_plot_list(PLOTS, take_title, &found), 0);
    assert_int_equal(found, 1);
    assert_int_equal(hm_plot_list(in_folder("nothing"), take_title, &found), ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_text_for_gnuplot_is_one_quoted_string),
        IN_FOLDER(test_figure_has_arms_ratios_machine_and_run),
        IN_FOLDER(test_axis_reaches_a_ratio_that_has_no_interval),
        IN_FOLDER(test_failed_cell_is_named_and_has_no_ratio),
        IN_FOLDER(test_hostile_names_are_only_text),
        IN_FOLDER(test_hostile_folder_is_only_a_folder),
        IN_FOLDER(test_figure_without_data_is_skipped_once_and_leaves_no_old_file),
        IN_FOLDER(test_run_without_results_has_no_figures),
        IN_FOLDER(test_pauses_are_counted_and_their_absence_is_said),
        IN_FOLDER(test_text_figure_has_at_most_80_columns),
        IN_FOLDER(test_missing_gnuplot_has_its_own_code),
        IN_FOLDER(test_broken_script_is_told_and_spoils_nothing),
        IN_FOLDER(test_folder_that_is_no_run_is_refused),
        IN_FOLDER(test_unknown_figure_is_refused),
        IN_FOLDER(test_list_has_each_script_with_its_title_and_not_the_style),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
