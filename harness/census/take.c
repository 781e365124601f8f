/* Takes the census of one workload.
 *
 * The engine of measured processes runs it, on a stack of the recording layer and `system`. Its failures
 * end the process; so it is a child, which leaves its answer in memory that is shared. */
#include "harness/census/take.h"

#include "harness/cell/channel.h"
#include "harness/cell/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Units are doubled until one of these is reached. */
static const uint64_t enough_events = 1 << 20;
static const uint64_t enough_bytes = UINT64_C(1) << 31;
static const uint64_t enough_operations = 1 << 26; /* of a workload that hardly allocates */
static const uint64_t enough_ns = 20000000000;

int hm_census_check(const struct hm_census *census, struct hm_error *error) {
    const struct hm_workload *w = census->workload.part;
    const struct hm_collector *c = census->collector.part;
    unsigned needs = w->needs ? w->needs(census->workload.params.values) : 0;
    if (w->kind != HM_WORKLOAD_HEAP && w->kind != HM_WORKLOAD_OBJECT)
        return hm_fail(error, EINVAL,
                       "%s calls no heap and no collector: there are no blocks to count", w->name);
    if (w->max_threads && census->threads > w->max_threads)
        return hm_fail(error, EINVAL, "%s runs on at most %u threads", w->name, w->max_threads);
    if (w->kind == HM_WORKLOAD_HEAP)
        return 0;
    if (!c->open)
        return hm_fail(error, EINVAL, "%s is not in this build: package %s", c->name, c->package);
    if (c->caps & HM_GC_OWN_MEMORY)
        return hm_fail(error, EINVAL,
                       "%s takes its memory from the system itself: there are no blocks to count",
                       c->name);
    if (needs & ~c->caps)
        return hm_fail(error, EINVAL, "%s can not do what %s needs", c->name, w->name);
    return 0;
}

/* ---- The child ---- */

static uint64_t run_enough(struct hm_engine *engine, const struct hm_census_record *record) {
    uint64_t done = 1;
    uint64_t ops = hm_engine_ops_per_unit(engine);
    uint64_t until = hm_engine_now_ns() + enough_ns;
    hm_engine_run(engine, 1);
    hm_engine_check_done(engine, done);
    while (record->events - record->setup_events < enough_events &&
           record->counts.bytes < enough_bytes && done * ops < enough_operations &&
           hm_engine_now_ns() < until) {
        hm_engine_run(engine, done);
        done *= 2;
        hm_engine_check_done(engine, done);
    }
    return done;
}

static uint64_t run_units(struct hm_engine *engine, uint64_t units) {
    hm_engine_run(engine, units);
    hm_engine_check_done(engine, units);
    return units;
}

static void configure(struct hm_cell_config *out, const struct hm_census *census) {
    *out =
        (struct hm_cell_config){.pass = HM_PASS_SPACE,
                                .collector = census->collector,
                                .has_collector = census->workload.part->kind == HM_WORKLOAD_OBJECT,
                                .workload = census->workload,
                                .threads = census->threads,
                                .cpus = calloc(census->threads, sizeof *out->cpus),
                                .seed = census->seed};
    for (unsigned i = 0; out->cpus && i < census->threads; i++)
        out->cpus[i] = -1;
    out->allocator =
        (struct hm_allocator_spec){.text = "census+system",
                                   .count = 2,
                                   .parts = {&hm_census_layer, hm_allocator_find("system")}};
}

__attribute__((noreturn)) static void be_child(struct hm_census *shared, int report) {
    static struct hm_cell_config config;
    if (dup2(report, HM_CELL_FD) < 0)
        _exit(1);
    alarm(shared->timeout_s);
    configure(&config, shared);
    if (!config.cpus)
        hm_tell_failure("oom", "no memory for the threads");
    hm_census_start(&shared->record);
    struct hm_engine *engine = hm_engine_start(&config);
    hm_census_count_from_now();
    shared->units = shared->asked_units ? run_units(engine, shared->asked_units)
                                        : run_enough(engine, &shared->record);
    hm_census_stop();
    shared->operations = shared->units * hm_engine_ops_per_unit(engine);
    hm_engine_verify(engine);
    hm_engine_finish(engine);
    hm_tell("end census");
    hm_tell_flush();
    _exit(0);
}

/* ---- The parent ---- */

/* What the child said: whether it came to its end, and the line of a failure. */
static bool read_report(int from, const char *workload, struct hm_error *error) {
    FILE *in = fdopen(from, "r");
    char line[1024];
    bool ended = false;
    error->line[0] = '\0';
    while (in && fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        ended = ended || strcmp(line, "end census") == 0;
        if (strncmp(line, "fail ", 5) == 0)
            snprintf(error->line, sizeof error->line, "%s: %.400s", workload, line + 5);
    }
    if (in)
        fclose(in);
    else
        close(from);
    return ended;
}

static int judge(const struct hm_census *census, int status, bool ended, struct hm_error *error) {
    const char *name = census->workload.text;
    if (ended)
        return 0;
    if (error->line[0])
        return strstr(error->line, ": oom ") ? ENOMEM : EIO;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return hm_fail(error, ETIMEDOUT, "%.300s: took longer than %u s", name, census->timeout_s);
    if (WIFSIGNALED(status))
        return hm_fail(error, EIO, "%.300s: ended by signal %d", name, WTERMSIG(status));
    return hm_fail(error, EIO, "%.300s: ended with status %d", name, WEXITSTATUS(status));
}

static int ask_child(struct hm_census *shared, struct hm_error *error) {
    int ends[2];
    int status = 0;
    if (pipe(ends))
        return hm_fail(error, errno, "can not make a pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        be_child(shared, ends[1]);
    }
    int bad = child < 0 ? errno : 0;
    close(ends[1]);
    bool ended = read_report(ends[0], shared->workload.text, error);
    if (bad)
        return hm_fail(error, bad, "can not start a process: %s", strerror(bad));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return judge(shared, status, ended, error);
}

int hm_census_take(struct hm_census *census, struct hm_error *error) {
    struct hm_census *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return hm_fail(error, ENOMEM, "out of memory");
    *shared = *census;
    shared->record = (struct hm_census_record){0};
    int bad = ask_child(shared, error);
    if (!bad)
        *census = *shared;
    munmap(shared, sizeof *shared);
    return bad;
}
