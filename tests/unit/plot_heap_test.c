/* The figures of what is inside of heaps: made-up heaps of which it is known what must be drawn. */
#include "tests/unit/figure_run.h"

#define CELL(allocator) "churn/" allocator "/-/t1/none"
#define STAT(allocator)                                                                            \
    CELL(allocator)                                                                                \
    "," allocator ",-,churn,,1,largest_free_run_bytes_peak,bytes,neither,1,4096,4096,4096,NA,"     \
    "NA," CELL("pool") ",1,NA,NA,NA\n"
#define HISTOGRAM_HEAD "cell,metric,low_ns,high_ns,count,round,unit\n"
#define MAP_HEAD       "cell,round,t_ns,offset_bytes,size_bytes,used_bytes,free_bytes\n"

/* Two stretches with a gap between them: the lower one is full and then half free, the other one comes late. */
static void put_heap(void) {
    put_file("stats.csv", STATS_HEAD STAT("pool") STAT("first-fit"));
    put_file("histogram.csv",
             HISTOGRAM_HEAD "churn/system/-/t1/"
                            "none,latency_malloc_small_ns,10,10.125,9,-1,ns\n" CELL(
                                "pool") ",free_run_bytes_peak,16,16.25,48,-1,"
                                        "bytes\n" CELL("pool") ",free_run_bytes_peak,"
                                                               "256,260,1,-1,"
                                                               "bytes\n" CELL("first-"
                                                                              "fit") ","
                                                                                     "f"
                                                                                     "r"
                                                                                     "e"
                                                                                     "e"
                                                                                     "_"
                                                                                     "r"
                                                                                     "u"
                                                                                     "n"
                                                                                     "_"
                                                                                     "b"
                                                                                     "y"
                                                                                     "t"
                                                                                     "e"
                                                                                     "s"
                                                                                     "_"
                                                                                     "e"
                                                                                     "n"
                                                                                     "d"
                                                                                     ","
                                                                                     "4"
                                                                                     "0"
                                                                                     "9"
                                                                                     "6"
                                                                                     ","
                                                                                     "4"
                                                                                     "1"
                                                                                     "6"
                                                                                     "0"
                                                                                     ","
                                                                                     "3"
                                                                                     ","
                                                                                     "-"
                                                                                     "1"
                                                                                     ","
                                                                                     "b"
                                                                                     "y"
                                                                                     "t"
                                                                                     "e"
                                                                                     "s"
                                                                                     "\n");
    put_file(
        "heapmap.csv",
        MAP_HEAD CELL("pool") ",0,10,0,65536,65536,0\n" CELL(
            "pool") ",0,20,0,65536,32768,32768\n" CELL("pool") ",0,20,1073741824,65536,0,65536\n");
}

static void test_a_map_has_a_shade_for_what_is_used_and_one_for_what_is_free(void **state) {
    (void)state;
    struct hm_error error;
    put_heap();
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("heapmap", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_int_equal(told.files, 1);
    static const char *const texts[] = {">pool<",
                                        "churn, 1 thread; KiB",
                                        "all used",
                                        "one round",
                                        "rgb(  8,  48, 107)",
                                        "rgb(233, 230, 223)",
                                        ">100 %<",
                                        "> 120<"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!holds("plots/heapmap.svg", texts[i]))
            fail_msg("no '%s' in the figure", texts[i]);
    assert_false(holds("plots/heapmap.svg", ">first-fit<")); /* of which there is no map */
    assert_false(holds("plots/heapmap.svg", "> 140<"));      /* the gap is left out */
}

static void test_a_map_as_text_is_read_from_the_ground_up(void **state) {
    (void)state;
    put_heap();
    if (!has_gnuplot())
        skip();
    char *text = draw_text("heapmap");
    char *upper = strstr(text, "....");
    char *lower = strstr(text, "##########");
    assert_non_null(upper);
    assert_non_null(lower);
    assert_true(upper < lower);
    assert_non_null(strstr(lower, "#+")); /* half used, then */
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        assert_true(width_of(line) <= 80);
    free(text);
}

/* 48 runs of 16 bytes are three quarters of the pool's free bytes; the other heap's lie in 4 KiB. */
static void test_free_runs_are_parts_of_all_free_bytes(void **state) {
    (void)state;
    struct hm_error error;
    put_heap();
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("freeruns", HM_PLOT_SVG, PLOTS, &error), 0);
    static const char *const texts[] = {">pool<", ">first-fit<", ">16<", ">4 K<", ">100 %<"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!holds("plots/freeruns.svg", texts[i]))
            fail_msg("no '%s' in the figure", texts[i]);
    char *text = draw_text("freeruns");
    assert_non_null(strstr(text, "80 %")); /* the axis ends above 75 */
    assert_null(strstr(text, "90 %"));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        assert_true(width_of(line) <= 80);
    free(text);
}

static void test_a_run_without_such_heaps_says_so(void **state) {
    (void)state;
    struct hm_error error;
    put_file("stats.csv", STATS_HEAD
             "w/system/-/t1/none,system,-,w,,1,footprint_bytes,bytes,lower,2,1,1,1,NA,NA,"
             "w/system/-/t1/none,1,NA,NA,NA\n");
    if (!has_gnuplot())
        skip();
    assert_int_equal(draw("heapmap", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_int_equal(draw("freeruns", HM_PLOT_SVG, PLOTS, &error), 0);
    assert_int_equal(told.files, 0);
    assert_int_equal(told.skipped, 2);
    assert_non_null(strstr(told.reason, "no heap that can be walked"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_a_map_has_a_shade_for_what_is_used_and_one_for_what_is_free),
        IN_FOLDER(test_a_map_as_text_is_read_from_the_ground_up),
        IN_FOLDER(test_free_runs_are_parts_of_all_free_bytes),
        IN_FOLDER(test_a_run_without_such_heaps_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
