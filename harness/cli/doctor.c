/* heapmark doctor: is this machine fit to measure on. */
#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/doctor/diagnosis.h"
#include "harness/plan/registry.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: heapmark doctor [--format table|json] [--no-noise]\n"
    "       heapmark doctor --root DIR [--format table|json]\n\n"
    "Tells whether this machine is fit to measure on: frequencies, clocks, memory,\n"
    "other work, limits; what each does to figures, and how to mend it. Then it\n"
    "measures two equal arms for about ten seconds, as heapmark run would, and tells\n"
    "which differences 6, 12 and 30 rounds can tell here.\n\n"
    "  --format FORMAT  table (default) or json\n"
    "  --no-noise       do not measure: takes a second\n"
    "  --root DIR       judge another machine by a copy of its files: DIR/proc and\n"
    "                   DIR/sys\n\n"
    "Exit status: 0 fit, 1 not fit (something is bad), 2 wrong usage, 130 and 143\n"
    "interrupted. 'heapmark run --require-quiet' does not start where something is\n"
    "bad.\n\n"
    "examples:\n"
    "  heapmark doctor\n"
    "  heapmark doctor --no-noise --format json\n";

static const struct option options[] = {{"format", required_argument, NULL, 'f'},
                                        {"no-noise", no_argument, NULL, 'n'},
                                        {"root", required_argument, NULL, 'r'},
                                        {NULL, 0, NULL, 0}};

struct wish {
    const char *root; /* "": this machine */
    bool json, no_noise;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number) {
    if (interrupted)
        _Exit(128 + signal_number);
    interrupted = signal_number;
}

static int bad_option(char **argv, struct hm_error *error) {
    const char *names[sizeof options / sizeof *options];
    size_t count = 0;
    const char *word = argv[optind - 1];
    for (; options[count].name; count++)
        names[count] = options[count].name;
    const char *near = strncmp(word, "--", 2) == 0 ? hm_nearest(word + 2, names, count) : NULL;
    if (near && strcmp(near, word + 2) == 0)
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    if (near)
        return hm_fail(error, EINVAL, "unknown option '%s'; did you mean '--%s'?", word, near);
    return hm_fail(error, EINVAL, "unknown option '%s'; see 'heapmark doctor --help'", word);
}

static int take_root(struct wish *w, const char *folder, struct hm_error *error) {
    struct stat info;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc", folder);
    if (stat(path, &info) || !S_ISDIR(info.st_mode))
        return hm_fail(error, EINVAL, "root=%s: there is no folder %s", folder, path);
    w->root = folder;
    return 0;
}

static int parse(struct wish *w, int argc, char **argv, struct hm_error *error) {
    int option;
    int bad = 0;
    opterr = 0;
    while (!bad && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'n')
            w->no_noise = true;
        else if (option == 'r')
            bad = take_root(w, optarg, error);
        else if (option == 'f' && strcmp(optarg, "json") == 0)
            w->json = true;
        else if (option == 'f' && strcmp(optarg, "table") != 0)
            bad = hm_fail(error, EINVAL, "format=%s: must be one of table, json", optarg);
        else if (option != 'f')
            bad = bad_option(argv, error);
    }
    if (!bad && optind < argc)
        bad = hm_fail(error, EINVAL, "'%s' is one word too many", argv[optind]);
    return bad;
}

/* What grows is judged over all of our time; the rest is of the time before our own processes. */
static void look_again(struct hm_machine_state *now) {
    struct hm_machine_state last;
    hm_machine_sample(&last);
    now->steal_ticks = last.steal_ticks;
    now->total_ticks = last.total_ticks;
    now->throttles = last.throttles;
}

static int measure_noise(struct hm_noise_floor *noise, struct hm_error *error) {
    char program[PATH_MAX];
    int bad = hm_program_path(program, sizeof program);
    if (bad)
        return hm_fail(error, bad, "can not tell my own path: %s", strerror(bad));
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return hm_noise_measure(program, &interrupted, noise, error);
}

static int answer(const struct wish *w, const struct hm_diagnosis *d) {
    int bad = 0;
    if (w->json)
        bad = hm_diagnosis_write(stdout, d);
    else
        hm_diagnosis_show(stdout, d);
    if (bad || fflush(stdout)) {
        fputs("heapmark doctor: can not write the answer\n", stderr);
        return HM_EXIT_FAILED;
    }
    return d->fit ? HM_EXIT_OK : HM_EXIT_FAILED;
}

static int judge_copy(const struct wish *w) {
    struct hm_machine_state state;
    hm_machine_sample_in(w->root, &state);
    struct hm_diagnosis d = hm_diagnose(&state, NULL, NULL);
    d.is_copy = true;
    return answer(w, &d);
}

static int judge_here(const struct wish *w) {
    struct hm_machine_state first;
    struct hm_machine_state now;
    struct hm_noise_floor noise;
    struct hm_error error = {""};
    hm_machine_sample(&first);
    now = first;
    hm_machine_watch(&now);
    int bad = w->no_noise ? 0 : measure_noise(&noise, &error);
    if (bad == EINTR)
        return 128 + interrupted;
    if (bad) {
        fprintf(stderr, "heapmark doctor: the noise was not measured: %s\n", error.line);
        return HM_EXIT_FAILED;
    }
    look_again(&now);
    struct hm_diagnosis d = hm_diagnose(&now, &first, w->no_noise ? NULL : &noise);
    return answer(w, &d);
}

static int run(int argc, char **argv) {
    struct wish w = {.root = ""};
    struct hm_error error = {""};
    if (parse(&w, argc, argv, &error)) {
        fprintf(stderr, "heapmark doctor: %s\n", error.line);
        return HM_EXIT_USAGE;
    }
    return *w.root ? judge_copy(&w) : judge_here(&w);
}

static const struct hm_command doctor_command = {
    .name = "doctor", .summary = "is this machine fit to measure on", .usage = usage, .run = run};
HM_REGISTER(hm_command, doctor_command);
