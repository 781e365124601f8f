/* The noise floor of this machine. */
#include "harness/doctor/noise.h"

#include "harness/measure/session.h"
#include "harness/results/gbench_file.h"
#include "harness/stats/order.h"
#include "harness/stats/resolution.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUNDS = 40, /* of about 0.2 s */
    MAX_FOLDERS = 8,
};

/* A difference that an allocator is chosen for should be told by a run without options. */
static const double told_good = 0.05;
static const double told_warn = 0.2;

struct trial {
    struct hm_request request;
    struct hm_topology *topology;
    struct hm_plan *plan;
    struct hm_session session;
    struct hm_progress progress;
    struct hm_folder folder;
    char path[PATH_MAX];
    bool has_path, has_folder;
    size_t base, again; /* cells */
    double values[2][ROUNDS];
};

/* ---- The trial ---- */

static int ask(struct trial *t, struct hm_error *error) {
    char rounds[16];
    struct hm_request *r = &t->request;
    snprintf(rounds, sizeof rounds, "%d", ROUNDS);
    r->matrices[0].name = strdup("doctor");
    r->matrix_count = 1;
    if (hm_matrix_set(&r->matrices[0], "allocators", "system") ||
        hm_matrix_set(&r->matrices[0], "workloads", "churn") ||
        hm_matrix_set(&r->matrices[0], "threads", "1"))
        return hm_fail(error, ENOMEM, "out of memory");
    int bad = hm_request_set(r, "metrics", "time", error);
    return bad ? bad : hm_request_set(r, "rounds", rounds, error);
}

static int make_folder(struct trial *t, struct hm_error *error) {
    const char *parent = getenv("TMPDIR");
    snprintf(t->path, sizeof t->path, "%s/heapmark-doctor-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(t->path))
        return hm_fail(error, errno, "can not make %s: %s", t->path, strerror(errno));
    t->has_path = true;
    int bad = hm_folder_create(&t->folder, t->path, "doctor", error);
    t->has_folder = !bad;
    return bad ? bad : hm_gbench_folder(&t->folder, error);
}

/* The two equal arms; all others stay out. */
static int choose_cells(struct trial *t, struct hm_error *error) {
    t->base = t->again = SIZE_MAX;
    for (size_t i = 0; i < t->plan->cell_count; i++) {
        const struct hm_arm *arm = t->plan->cells[i].arm;
        if (arm->again)
            t->again = i;
        else if (arm->control || t->base != SIZE_MAX)
            t->session.failed[i] = true;
        else
            t->base = i;
    }
    return t->again != SIZE_MAX && t->base != SIZE_MAX
               ? 0
               : hm_fail(error, ENOENT, "there are no equal arms to compare");
}

static int prepare(struct trial *t, const char *program, const volatile sig_atomic_t *interrupted,
                   struct hm_error *error) {
    int bad = ask(t, error);
    if (!bad)
        bad = hm_topology_load(&t->topology, error);
    if (!bad)
        bad = hm_plan_build(&t->plan, &t->request, t->topology, error);
    if (!bad && !hm_topology_is_real(t->topology))
        bad = hm_fail(error, ENOTSUP, "the topology is synthetic: it can not be measured");
    if (!bad)
        bad = make_folder(t, error);
    if (bad)
        return bad;
    t->session = (struct hm_session){.plan = t->plan,
                                     .topology = t->topology,
                                     .folder = &t->folder,
                                     .progress = &t->progress,
                                     .program = program,
                                     .interrupted = interrupted};
    if (hm_session_init(&t->session))
        return hm_fail(error, ENOMEM, "out of memory");
    return choose_cells(t, error);
}

static void take(void *arg, size_t cell, const char *metric, unsigned round, double value,
                 const char *status, const char *reason) {
    struct trial *t = arg;
    (void)status;
    (void)reason;
    if (strcmp(metric, "time_ns") == 0 && round < ROUNDS && (cell == t->base || cell == t->again))
        t->values[cell == t->again][round] = value;
}

static int measure(struct trial *t, struct hm_error *error) {
    int bad = hm_samples_open(&t->session.samples, &t->folder, "doctor", t->plan, error);
    if (bad)
        return bad;
    hm_progress_begin(&t->progress, (size_t)2 * (1 + ROUNDS));
    t->progress.quiet = true;
    bad = hm_session_calibrate(&t->session, error);
    if (!bad)
        bad = hm_session_measure(&t->session, error);
    hm_progress_end(&t->progress);
    hm_samples_close(t->session.samples);
    if (!bad && (t->session.failed[t->base] || t->session.failed[t->again]))
        bad = hm_fail(error, ECHILD, "a process of the comparison failed");
    return bad ? bad : hm_samples_read(&t->folder, t->plan, take, t, error);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static void give_back(struct trial *t) {
    hm_session_free(&t->session);
    if (t->has_folder)
        hm_folder_close(&t->folder);
    if (t->has_path)
        nftw(t->path, remove_one, MAX_FOLDERS, FTW_DEPTH | FTW_PHYS);
    hm_plan_free(t->plan);
    hm_topology_free(t->topology);
    hm_request_free(&t->request);
}

/* ---- What it says ---- */

static double median(const double *values, double *scratch) {
    size_t n = hm_finite(values, ROUNDS, scratch);
    hm_sort(scratch, n);
    return hm_quantile(scratch, n, 0.5);
}

static void conclude(const struct trial *t, struct hm_noise_floor *out) {
    static const unsigned sizes[HM_NOISE_SIZES] = {6, 12, 30};
    static const double margins[HM_NOISE_MARGINS] = {0.02, 0};
    double logs[ROUNDS];
    double sizes_of_logs[ROUNDS];
    double scratch[ROUNDS];
    *out = (struct hm_noise_floor){
        .rounds = (unsigned)hm_log_ratios(t->values[0], t->values[1], ROUNDS, logs)};
    snprintf(out->cell, sizeof out->cell, "%.200s", t->plan->cells[t->base].id);
    out->time_ns = median(t->values[0], scratch);
    out->paired = hm_paired_of(logs, ROUNDS, scratch);
    for (size_t i = 0; i < ROUNDS; i++)
        sizes_of_logs[i] = fabs(logs[i]);
    out->spread = expm1(median(sizes_of_logs, scratch));
    for (size_t s = 0; s < HM_NOISE_SIZES; s++)
        for (size_t m = 0; m < HM_NOISE_MARGINS; m++) {
            out->sizes[s] = sizes[s];
            out->margins[m] = margins[m];
            out->told[s][m] = hm_resolution(logs, ROUNDS, sizes[s], margins[m]);
        }
}

int hm_noise_measure(const char *program, const volatile sig_atomic_t *interrupted,
                     struct hm_noise_floor *out, struct hm_error *error) {
    struct trial *t = calloc(1, sizeof *t);
    if (!t)
        return hm_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; i < ROUNDS; i++)
        t->values[0][i] = t->values[1][i] = NAN;
    hm_request_init(&t->request);
    int bad = prepare(t, program, interrupted, error);
    if (!bad)
        bad = measure(t, error);
    if (!bad)
        conclude(t, out);
    give_back(t);
    free(t);
    return bad;
}

void hm_noise_judge(const struct hm_noise_floor *noise, struct hm_finding *out) {
    *out = (struct hm_finding){
        .name = "noise",
        .effect = "what is smaller can not be told in a run of 12 rounds",
        .mend =
            "with what is said above, more rounds (--rigorous), or instruction counts (--metrics)",
        .read = "NA"};
    double told = noise ? noise->told[1][0] : NAN;
    if (isnan(told))
        return;
    if (isinf(told))
        snprintf(out->read, sizeof out->read, "nothing is told");
    else
        snprintf(out->read, sizeof out->read, "%.1f %% and more are told", told * 100);
    out->fitness = told <= told_good ? HM_FIT_GOOD : told <= told_warn ? HM_FIT_WARN : HM_FIT_BAD;
    if (out->fitness != HM_FIT_GOOD)
        snprintf(out->said, sizeof out->said, "equal arms differ from round to round");
}
