/* Carries out a planned run. */
#include "harness/cli/carry.h"

#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/cli/report.h"
#include "harness/compare/fronts.h"
#include "harness/exec/environment.h"
#include "harness/exec/exec.h"
#include "harness/machine/check.h"
#include "harness/machine/facts.h"
#include "harness/measure/session.h"
#include "harness/plan/skip.h"
#include "harness/report/plot.h"
#include "harness/report/table.h"
#include "harness/results/gbench_file.h"
#include "harness/results/histogram_file.h"
#include "harness/results/manifest.h"
#include "harness/results/resume.h"
#include "harness/results/stats_file.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number) {
    if (interrupted)
        _Exit(128 + signal_number);
    interrupted = signal_number;
}

/* Everything that one run holds, so that it is given back in one place. */
struct run {
    const struct hm_carry *how;
    struct hm_topology *topology;
    struct hm_plan *plan;
    struct hm_folder folder;
    bool has_folder;
    struct hm_manifest manifest;
    struct hm_images images;
    struct hm_machine_state before;
    char doubt[640]; /* of the manifest */
    struct hm_session session;
    struct hm_progress progress;
    char program[PATH_MAX];
};

static int say(const struct run *r, int code, const struct hm_error *error) {
    fprintf(stderr, "heapmark %s: %s\n", r->how->command, error->line);
    return code;
}

/* Once: a part of a run that was resumed says again what an earlier one has said. */
static void keep_warning(json_t *warnings, const char *line) {
    size_t i;
    json_t *kept;
    json_array_foreach(warnings, i, kept) {
        if (line && strcmp(json_string_value(kept), line) == 0)
            return;
    }
    json_array_append_new(warnings, json_string(line));
}

static void warn(void *arg, const char *line) {
    keep_warning(arg, line);
    fprintf(stderr, "warning: %s\n", line);
}

static unsigned most_threads(const struct hm_plan *plan) {
    unsigned most = 1;
    for (size_t i = 0; i < plan->group_count; i++)
        most = plan->groups[i]->threads > most ? plan->groups[i]->threads : most;
    return most;
}

static int dry_run(const struct hm_plan *plan) {
    double seconds = hm_plan_seconds(plan);
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct hm_cell *c = &plan->cells[i];
        printf("%s%s%s%s\n", c->id, c->group->oversubscribed ? "  (oversubscribed)" : "",
               c->skip[0] ? "  skip: " : "", c->skip);
    }
    if (plan->turn_ms > 0)
        printf("turns of %g ms%s\n", plan->turn_ms,
               plan->all_turns ? "" : ", where slices can be led in");
    const bool looks = plan->looks.count > 0;
    const char *most = looks ? "auto, at most " : "";
    if (plan->programs)
        printf("%zu cells, %s%u rounds, %s%zu runs of programs", plan->cell_count, most,
               plan->rounds, looks ? "at most " : "", hm_plan_processes(plan));
    else
        printf("%zu cells, %s%u rounds, %s%zu processes, %s %.0f s (estimated)", plan->cell_count,
               most, plan->rounds, looks ? "at most " : "", hm_plan_processes(plan),
               looks ? "at most" : "about", seconds);
    if (looks)
        printf(", budget %.0f s", plan->budget_s);
    putchar('\n');
    return HM_EXIT_OK;
}

static int export_topology(struct run *r, struct hm_error *error) {
    char path[PATH_MAX];
    return hm_topology_export(r->topology, hm_folder_file(&r->folder, "topology.xml", path), error);
}

static int open_new(struct run *r, struct hm_error *error) {
    hm_manifest_new(&r->manifest);
    int bad = hm_folder_create(&r->folder, r->how->folder, r->manifest.run, error);
    if (bad)
        return bad;
    r->has_folder = true;
    bad = export_topology(r, error);
    return bad ? bad : hm_manifest_write(&r->manifest, &r->folder, error);
}

static void add_doubt(struct run *r, const char *text) {
    size_t used = strlen(r->doubt);
    snprintf(r->doubt + used, sizeof r->doubt - used, "%s%s", used ? "; " : "", text);
    r->manifest.doubt = r->doubt;
}

/* What the earlier part said of itself stays, and so does that it was not all of the run. */
static void recall_notes(struct run *r, const json_t *was, json_t *forced) {
    size_t i;
    json_t *line;
    char now[32];
    time_t t = time(NULL);
    const char *doubt = json_string_value(json_object_get(was, "doubt"));
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
    if (doubt)
        add_doubt(r, doubt);
    json_array_foreach(json_object_get(was, "warnings"), i, line)
        keep_warning(r->manifest.warnings, json_string_value(line));
    json_array_extend(r->manifest.resumed, json_object_get(was, "resumed"));
    json_array_append_new(r->manifest.resumed, json_pack("{s:s, s:i, s:O}", "utc", now, "rounds",
                                                         (int)r->plan->rounds, "forced", forced));
    json_array_foreach(forced, i, line) {
        char text[512];
        snprintf(text, sizeof text, "resumed by force: %s", json_string_value(line));
        warn(r->manifest.warnings, text);
        if (i == 0)
            add_doubt(r, text);
    }
}

/* Numbers of two builds under one name would be a run that nobody can repeat. */
static int check_same(struct run *r, const json_t *was, struct hm_error *error) {
    json_t *is = hm_manifest_json(&r->manifest);
    json_t *misfits = is ? hm_resume_misfits(was, is) : NULL;
    json_decref(is);
    if (!misfits)
        return hm_fail(error, ENOMEM, "out of memory");
    size_t count = json_array_size(misfits);
    char more[48] = "";
    if (count > 1)
        snprintf(more, sizeof more, " (and %zu more)", count - 1);
    int bad = 0;
    if (count && !r->how->force)
        bad = hm_fail(error, EINVAL, "not the same run: %s%s; --force goes on all the same",
                      json_string_value(json_array_get(misfits, 0)), more);
    else
        recall_notes(r, was, misfits);
    r->images.may_change = count > 0;
    json_decref(misfits);
    return bad;
}

static int go_on(struct run *r, const json_t *was, struct hm_error *error) {
    int bad = hm_manifest_resume(was, r->plan, &r->manifest, error);
    if (!bad)
        bad = check_same(r, was, error);
    if (!bad && hm_images_recall(&r->images, was, r->plan))
        bad = hm_fail(error, ENOMEM, "out of memory");
    return bad;
}

static int open_again(struct run *r, struct hm_error *error) {
    json_t *json;
    int bad = hm_folder_reopen(&r->folder, r->how->resume, error);
    if (bad)
        return bad;
    r->has_folder = true;
    bad = hm_manifest_read(&json, r->how->resume, error);
    if (bad)
        return bad;
    bad = go_on(r, json, error);
    json_decref(json);
    return bad;
}

static int open_folder(struct run *r, struct hm_error *error) {
    int bad = r->how->resume ? open_again(r, error) : open_new(r, error);
    if (bad)
        return bad;
    return r->plan->programs ? hm_exec_open(r->folder.path, error)
                             : hm_gbench_folder(&r->folder, error);
}

static void warn_of_no_turns(struct run *r) {
    const struct hm_plan *plan = r->plan;
    for (size_t g = 0; g < plan->group_count; g++) {
        const struct hm_group *group = plan->groups[g];
        char line[HM_SPEC_BYTES + 256];
        if (!group->no_turns[0])
            continue;
        snprintf(line, sizeof line, "%s at %u thread%s takes no turns: %s", group->workload->label,
                 group->threads, group->threads == 1 ? "" : "s", group->no_turns);
        warn(r->manifest.warnings, line);
    }
}

static int measure(struct run *r, struct hm_error *error) {
    struct hm_session *s = &r->session;
    int bad = r->how->resume ? hm_histogram_settle(&r->folder, r->plan, error) : 0;
    if (bad)
        return bad;
    bad = hm_samples_open(&s->samples, &r->folder, r->manifest.run, r->plan, error);
    if (bad)
        return bad;
    if (r->how->resume)
        bad = hm_session_recall(s, error);
    hm_progress_begin(&r->progress, hm_plan_processes(r->plan));
    if (!bad)
        bad = hm_session_calibrate(s, error);
    warn_of_no_turns(r);
    if (!bad)
        bad = hm_manifest_write(&r->manifest, &r->folder, error);
    if (!bad)
        bad = hm_session_measure(s, error);
    hm_progress_end(&r->progress);
    int close_bad = hm_samples_close(s->samples);
    if (close_bad && !bad)
        bad = hm_fail(error, close_bad, "can not close the samples: %s", strerror(close_bad));
    return bad;
}

static void draw(const struct run *r) {
    char plots[PATH_MAX];
    struct hm_error error;
    struct hm_plot_options options = {.format = HM_PLOT_FILES};
    if (r->how->no_plots)
        return;
    if (hm_data_path("plots", plots, sizeof plots)) {
        fputs("warning: no figures: the folder of their scripts is not installed\n", stderr);
        return;
    }
    options.plots_dir = plots;
    if (hm_plot_run(r->folder.path, &options, &error))
        fprintf(stderr, "warning: no figures: %s\n", error.line);
}

static void report(const struct run *r) {
    struct hm_error error;
    if (hm_report_write(r->folder.path, &error))
        fprintf(stderr, "warning: no report: %s\n", error.line);
}

/* A run that wants quiet is marked when it did not have it. */
static void judge_quiet(struct run *r, struct hm_machine_state *after) {
    char names[512];
    hm_machine_watch(after);
    if (!hm_machine_worsened(&r->before, after, most_threads(r->plan), names, sizeof names))
        return;
    char line[600];
    snprintf(line, sizeof line, "the machine got worse while it measured: %s", names);
    add_doubt(r, line);
    warn(r->manifest.warnings, line);
}

/* What the run says of itself: warnings of the machine, and of the A/A arm. */
static void judge_machine(struct run *r) {
    struct hm_machine_state after;
    hm_machine_sample(&after);
    if (r->how->require_quiet)
        judge_quiet(r, &after);
    hm_machine_warnings(&r->before, &after, most_threads(r->plan), warn, r->manifest.warnings);
}

/* What one arm writes and another does not. Where a program writes something else each time, nothing can be
 * said. */
static void compare_outputs(struct run *r, const struct hm_group *group) {
    const struct hm_cell *first = &r->plan->cells[group->first];
    for (size_t i = 1; i < group->count; i++) {
        const struct hm_cell *cell = first + i;
        char line[3 * HM_SPEC_BYTES];
        if (!first->output_hash || !cell->output_hash || first->output_varies ||
            cell->output_varies || first->output_hash == cell->output_hash)
            continue;
        snprintf(line, sizeof line, "%s writes something else under %s than under %s",
                 group->program->name, cell->arm->label, first->arm->label);
        warn(r->manifest.warnings, line);
    }
}

static void conclude_programs(struct run *r) {
    hm_exec_close(r->folder.path);
    for (size_t g = 0; g < r->plan->group_count; g++)
        compare_outputs(r, r->plan->groups[g]);
}

static int conclude(struct run *r, bool stopped, struct hm_error *error) {
    struct hm_noise noise = {.floor = NAN};
    judge_machine(r);
    r->manifest.state = stopped ? "interrupted" : "finished";
    int bad = 0;
    if (r->plan->programs)
        conclude_programs(r);
    else
        bad = hm_gbench_join(&r->folder, error);
    if (!bad)
        bad = hm_histogram_settle(&r->folder, r->plan, error);
    if (!bad)
        bad = hm_stats_write(&r->folder, r->plan, &noise, error);
    if (!bad)
        bad = hm_manifest_write(&r->manifest, &r->folder, error);
    if (bad || stopped)
        return bad;
    draw(r);
    report(r);
    bad = hm_table_print(stdout, r->folder.path, error);
    if (!bad && r->plan->sweep_count)
        bad = hm_fronts_print(stdout, r->folder.path, error);
    if (!bad && isfinite(noise.floor))
        printf("A/A: identical arms differed by up to %.1f %% in time.\n", noise.floor * 100);
    if (!bad)
        printf("Results: %s (report.html)\n", r->folder.path);
    return bad;
}

static int exit_status(int bad) {
    switch (bad) {
    case EEXIST:
    case ENOTDIR:
    case EACCES:
    case EROFS:
    case EINVAL:
    case ENOENT:
    case EWOULDBLOCK:
        return HM_EXIT_USAGE;
    default:
        return HM_EXIT_FAILED;
    }
}

static int carry_out(struct run *r) {
    struct hm_error error = {""};
    int bad = open_folder(r, &error);
    if (bad)
        return say(r, exit_status(bad), &error);
    r->session.folder = &r->folder;
    int stop = measure(r, &error);
    if (stop && stop != EINTR)
        return say(r, HM_EXIT_FAILED, &error);
    bad = conclude(r, stop == EINTR, &error);
    if (bad)
        return say(r, HM_EXIT_FAILED, &error);
    if (stop == EINTR) {
        fprintf(stderr, "heapmark %s: interrupted; go on with: --resume %s\n", r->how->command,
                r->folder.path);
        return 128 + interrupted;
    }
    return hm_session_failures(&r->session) ? HM_EXIT_FAILED : HM_EXIT_OK;
}

static void tell_environment(struct run *r) {
    char names[512];
    char line[640];
    hm_environment_dropped(environ, names, sizeof names);
    snprintf(line, sizeof line, "not in the program's environment: %s", names);
    if (names[0])
        warn(r->manifest.warnings, line);
}

/* What was asked for and is not counted, beside cells that are measured otherwise. */
static void warn_of_counts(struct run *r) {
    const struct hm_plan *plan = r->plan;
    size_t left_out = 0;
    char line[640];
    if (!plan->instructions_pass || !hm_plan_is_timed(plan))
        return;
    for (size_t g = 0; g < plan->group_count; g++)
        left_out += hm_plan_why_not_counted(plan->groups[g]) != NULL;
    if (plan->no_instructions[0])
        snprintf(line, sizeof line, "instructions: skip: %s", plan->no_instructions);
    else
        snprintf(line, sizeof line,
                 "instructions: skip where there are several threads or processes, or no heap: "
                 "%zu of %zu workloads and numbers of threads",
                 left_out, plan->group_count);
    if (plan->no_instructions[0] || left_out)
        warn(r->manifest.warnings, line);
}

static void refuse(void *arg, const char *line) {
    const struct run *r = arg;
    fprintf(stderr, "heapmark %s: not quiet: %s\n", r->how->command, line);
}

/* @return how much of the machine is bad, where that matters */
static int look_at_machine(struct run *r) {
    struct hm_machine_state first;
    hm_machine_sample(&first);
    r->before = first;
    if (!r->how->require_quiet)
        return 0;
    hm_machine_watch(&first);
    hm_machine_sample(&r->before);
    r->before.others = first.others;
    r->before.drift = first.drift;
    return hm_machine_refusals(&r->before, &first, most_threads(r->plan), refuse, r);
}

static int prepare(struct run *r, struct hm_error *error) {
    int bad = hm_program_path(r->program, sizeof r->program);
    if (bad)
        return hm_fail(error, bad, "can not tell my own path: %s", strerror(bad));
    r->manifest.plan = r->plan;
    r->manifest.state = "running";
    r->manifest.machine = hm_machine_facts();
    r->manifest.warnings = json_array();
    r->manifest.resumed = json_array();
    r->manifest.images = &r->images;
    if (r->plan->programs)
        tell_environment(r);
    warn_of_counts(r);
    r->session = (struct hm_session){.plan = r->plan,
                                     .topology = r->topology,
                                     .progress = &r->progress,
                                     .images = &r->images,
                                     .program = r->program,
                                     .interrupted = &interrupted};
    if (hm_session_init(&r->session))
        return hm_fail(error, ENOMEM, "out of memory");
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static void give_back(struct run *r) {
    hm_session_free(&r->session);
    json_decref(r->manifest.machine);
    json_decref(r->manifest.warnings);
    json_decref(r->manifest.resumed);
    hm_images_free(&r->images);
    hm_plan_free(r->plan);
    hm_topology_free(r->topology);
    if (r->has_folder)
        hm_folder_close(&r->folder);
}

static int run_with(struct run *r, const struct hm_request *request) {
    struct hm_error error = {""};
    int bad = hm_topology_load(&r->topology, &error);
    if (!bad)
        bad = hm_plan_build(&r->plan, request, r->topology, &error);
    if (bad)
        return say(r, bad == ENOMEM ? HM_EXIT_FAILED : HM_EXIT_USAGE, &error);
    if (r->how->dry_run)
        return dry_run(r->plan);
    if (!hm_topology_is_real(r->topology)) {
        hm_fail(&error, ENOTSUP,
                "the topology is synthetic: it can be planned on (--dry-run), not measured");
        return say(r, HM_EXIT_USAGE, &error);
    }
    if (look_at_machine(r))
        return HM_EXIT_FAILED;
    bad = prepare(r, &error);
    return bad ? say(r, HM_EXIT_FAILED, &error) : carry_out(r);
}

int hm_carry_out(const struct hm_carry *how, const struct hm_request *request) {
    struct run r = {.how = how, .manifest = {.argc = how->argc, .argv = how->argv}};
    int status = run_with(&r, request);
    give_back(&r);
    return status;
}
