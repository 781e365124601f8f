/* For the tests of the figures: a folder that holds a run, and drawing it. */
#ifndef HM_TESTS_UNIT_FIGURE_RUN_H
#define HM_TESTS_UNIT_FIGURE_RUN_H

#include "harness/report/plot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATS_HEAD                                                                                 \
    "cell,allocator,collector,workload,params,threads,metric,unit,better,n,median,q1,q3,ci_low,"   \
    "ci_high,baseline,ratio,ratio_low,ratio_high,verdict\n"
#define SAMPLES_HEAD                                                                               \
    "schema,run,cell,allocator,collector,workload,params,threads,pin,round,position,rep,thread,"   \
    "metric,value,unit,better,ops,status,reason,started_utc\n"
#define SERIES_HEAD "cell,round,thread,t_ns,metric,value,unit\n"

/* What hm_plot_run() told. */
struct told {
    unsigned files, skipped;
    char reason[256];
};

static char folder[PATH_MAX];
static struct told told;

static void take(void *arg, const char *figure, const char *path, const char *reason) {
    (void)arg;
    (void)figure;
    told.files += path != NULL;
    told.skipped += reason != NULL;
    if (reason)
        snprintf(told.reason, sizeof told.reason, "%s", reason);
}

static const char *in_folder(const char *name) {
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%.2000s/%s", folder, name);
    return path;
}

static void put_file(const char *name, const char *text) {
    FILE *out = fopen(in_folder(name), "we");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

/* The caller frees. */
static char *get_file(const char *name) {
    FILE *in = fopen(in_folder(name), "re");
    if (!in)
        return NULL;
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    fread(text, 1, (1 << 20) - 1, in);
    fclose(in);
    return text;
}

static bool holds(const char *name, const char *text) {
    char *content = get_file(name);
    bool found = content && strstr(content, text);
    free(content);
    return found;
}

static int draw(const char *figure, enum hm_plot_format format, const char *plots_dir,
                struct hm_error *error) {
    struct hm_plot_options options = {
        .figure = figure, .format = format, .plots_dir = plots_dir, .tell = take};
    return hm_plot_run(folder, &options, error);
}

#define PLOTS HM_SOURCE_DIR "/plots"

static bool has_gnuplot(void) {
    return access("/usr/bin/gnuplot", X_OK) == 0 || access("/usr/local/bin/gnuplot", X_OK) == 0;
}

/* What a figure is as text. The caller frees. */
static char *draw_text(const char *figure) {
    struct hm_error error;
    fflush(stdout);
    int terminal = dup(STDOUT_FILENO);
    int file = open(in_folder("text"), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    dup2(file, STDOUT_FILENO);
    int bad = draw(figure, HM_PLOT_TERM, PLOTS, &error);
    dup2(terminal, STDOUT_FILENO);
    close(file);
    close(terminal);
    assert_int_equal(bad, 0);
    return get_file("text");
}

/* Characters, not bytes. */
static size_t width_of(const char *line) {
    size_t width = 0;
    for (; *line; line++)
        width += ((unsigned char)*line & 0xc0) != 0x80;
    return width;
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/hm-plot-test-XXXXXX");
    told = (struct told){0};
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at) {
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

#endif
