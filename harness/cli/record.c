/* heapmark record: a program's heap calls, and those of its children, as traces. */
#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/cli/refuse.h"
#include "harness/machine/executable.h"
#include "harness/machine/preload.h"
#include "harness/trace/convert.h"
#include "harness/trace/record_objects.h"
#include "harness/trace/recording.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: heapmark record [-o FILE] [--stacks[=N]] [--times] [--children all|none]\n"
    "                       [--spool DIR] [--quiet] [--] COMMAND [ARGUMENT..]\n"
    "       heapmark record --objects [-o FILE] [--at WHEN] [--quiet] [--]\n"
    "                       PYTHON [OPTIONS] PROGRAM [ARGUMENT..]\n\n"
    "Runs a command and writes down every heap call that it makes. Its input and\n"
    "output are its own. Processes that it starts have traces of their own.\n\n"
    "  -o FILE          the command's trace (default: PROGRAM.hmtrace here);\n"
    "                   must not exist. Of further processes, and of programs that\n"
    "                   became the command by exec: FILE with .2, .3, .. before its\n"
    "                   extension, in the order in which they began\n"
    "  --stacks[=N]     with the call stack, at most N frames (default 16)\n"
    "  --times          with the time of each call\n"
    "  --children WHICH all (default), or none: the command's own process alone\n"
    "  --spool DIR      for the raw recording, 8 to 20 bytes a call, while it lasts\n"
    "                   (default: TMPDIR, or /tmp)\n"
    "  --quiet          no table of what was recorded, on stderr\n\n"
    "With --objects first, it is a Python program's object graph that is recorded:\n"
    "what the cyclic collector sees, and what that refers to. -w snapshot:file=FILE\n"
    "makes it the live heap of any collector.\n\n"
    "  -o FILE          default PROGRAM.hmobjects; must not exist\n"
    "  --at WHEN        exit (default): at the program's end, with its globals;\n"
    "                   call: when it calls heapmark_objects.snapshot();\n"
    "                   collection=N: after its collector has run N times;\n"
    "                   signal=USR1: when that signal comes\n\n"
    "Exit status: the command's own; 128 and the signal's number when a signal ended\n"
    "it; 127 it was not found, 126 it could not be run; 1 the recording failed; 2\n"
    "wrong usage.\n\n"
    "examples:\n"
    "  heapmark record sort words.txt\n"
    "  heapmark record -o build.hmtrace --children all -- make\n"
    "  heapmark record --objects -- python3 job.py --small\n";

enum {
    FRAMES_DEFAULT = 16,
    EXIT_NO_EXEC = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL = 128,
};

struct record {
    struct hm_recording_options how;
    const char *file; /* NULL: named for the program */
    bool quiet;
    char program[PATH_MAX], library[PATH_MAX], out[PATH_MAX];
    size_t name_width, failed;
    struct hm_convert_pasts *pasts;
};

static const struct option options[] = {
    {"stacks", optional_argument, NULL, 's'},   {"times", no_argument, NULL, 't'},
    {"children", required_argument, NULL, 'c'}, {"spool", required_argument, NULL, 'p'},
    {"quiet", no_argument, NULL, 'q'},          {NULL, 0, NULL, 0}};

/* ---- Options ---- */

static int take_frames(struct record *r, const char *value, struct hm_error *error) {
    char *end;
    r->how.frames = FRAMES_DEFAULT;
    if (!value)
        return 0;
    errno = 0;
    unsigned long frames = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || frames < 1 || frames > HM_SPOOL_FRAMES_MAX)
        return hm_fail(error, EINVAL, "--stacks=%s: must be a whole number, 1 to %d", value,
                       HM_SPOOL_FRAMES_MAX);
    r->how.frames = (unsigned)frames;
    return 0;
}

static int take_children(struct record *r, const char *value, struct hm_error *error) {
    if (strcmp(value, "all") != 0 && strcmp(value, "none") != 0)
        return hm_fail(error, EINVAL, "--children=%s: must be all or none", value);
    r->how.command_only = strcmp(value, "none") == 0;
    return 0;
}

static int take_option(struct record *r, int option, const char *word, struct hm_error *error) {
    switch (option) {
    case 'o':
        r->file = optarg;
        return *optarg ? 0 : hm_fail(error, EINVAL, "-o: the name is empty");
    case 's':
        return take_frames(r, optarg, error);
    case 't':
        r->how.times = true;
        return 0;
    case 'c':
        return take_children(r, optarg, error);
    case 'p':
        r->how.spool = optarg;
        return 0;
    case 'q':
        r->quiet = true;
        return 0;
    default:
        return hm_refuse_option("record", "o", options, word, error);
    }
}

/* The command's own options are not ours: the first word that is none of ours ends them. */
static int parse(struct record *r, int argc, char **argv, struct hm_error *error) {
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+o:", options, NULL)) != -1) {
        int bad = take_option(r, option, argv[optind - 1], error);
        if (bad)
            return bad;
    }
    if (optind == argc)
        return hm_fail(error, EINVAL, "which command? see 'heapmark record --help'");
    r->how.argv = argv + optind;
    return 0;
}

/* ---- Files ---- */

static int find_library(struct record *r, struct hm_error *error) {
    bool has_stacks =
        r->how.frames && hm_preload_find("record-stacks", r->library, sizeof r->library) == 0;
    if (!has_stacks && hm_preload_find("record", r->library, sizeof r->library))
        return hm_fail(error, ENOENT, "libheapmark-record.so is not installed beside heapmark");
    if (strpbrk(r->library, ": \t"))
        return hm_fail(error, EINVAL,
                       "%s: the loader takes no library whose path has a blank or a colon",
                       r->library);
    r->how.library = r->library;
    return 0;
}

static void name_file(struct record *r) {
    const char *slash = strrchr(r->how.argv[0], '/');
    if (r->file)
        snprintf(r->out, sizeof r->out, "%s", r->file);
    else
        snprintf(r->out, sizeof r->out, "%s.hmtrace", slash ? slash + 1 : r->how.argv[0]);
}

/* FILE, or the number before its extension. @param number from 1 */
static void numbered(const char *file, size_t number, char *out, size_t size) {
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    if (!dot || dot == name)
        dot = name + strlen(name);
    if (number == 1)
        snprintf(out, size, "%s", file);
    else
        snprintf(out, size, "%.*s.%zu%s", (int)(dot - file), file, number, dot);
}

static int check_file(const struct record *r, struct hm_error *error) {
    struct stat info;
    char folder[PATH_MAX];
    if (lstat(r->out, &info) == 0)
        return hm_fail(error, EEXIST, "%s exists, and is not written over", r->out);
    snprintf(folder, sizeof folder, "%s", r->out);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    if (access(slash ? folder : ".", W_OK | X_OK))
        return hm_fail(error, errno, "%s: %s", r->out, strerror(errno));
    return 0;
}

/* ---- What was recorded ---- */

static void human(uint64_t bytes, char *out, size_t size) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(out, size, unit && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void put_end(const struct hm_recorded_image *image) {
    if (image->is_alive)
        fputs("still runs", stderr);
    else if (image->end == HM_TRACE_END_EXIT)
        fprintf(stderr, "exit %d", image->status);
    else if (image->end == HM_TRACE_END_SIGNAL)
        fprintf(stderr, "SIG%s", sigabbrev_np(image->status) ? sigabbrev_np(image->status) : "?");
    else
        fputs(image->end == HM_TRACE_END_EXEC ? "exec" : "not known", stderr);
    putc('\n', stderr);
}

static void put_row(const struct record *r, const char *file, const struct hm_recorded_image *image,
                    const struct hm_converted *made) {
    char peak[32];
    human(made->totals.peak_bytes, peak, sizeof peak);
    fprintf(stderr, "%-*s %-14.14s %8d %12" PRIu64 " %9s  ", (int)r->name_width, file,
            image->program, (int)image->pid, made->totals.operations, peak);
    put_end(image);
}

static void put_troubles(const char *file, const struct hm_converted *made) {
    if (made->dropped)
        fprintf(stderr,
                "heapmark record: %s: recording stopped (%s): %" PRIu64
                " later calls are not in it\n",
                file, strerror(made->error), made->dropped);
    if (made->missed)
        fprintf(stderr, "heapmark record: %s: %" PRIu64 " blocks went without a call\n", file,
                made->missed);
}

/* @param number the first that may be its file's; receives the one that is: files of earlier
 * recordings are passed over */
static void convert(struct record *r, const struct hm_recording *recording,
                    const struct hm_recorded_image *image, size_t *number) {
    struct stat info;
    char file[PATH_MAX + 32];
    struct hm_converted made = {.dropped = 0};
    struct hm_error error;
    numbered(r->out, *number, file, sizeof file);
    while (*number > 1 && lstat(file, &info) == 0)
        numbered(r->out, ++*number, file, sizeof file);
    const struct hm_convert_options how = {.folder = recording->folder,
                                           .name = image->name,
                                           .out = file,
                                           .end = image->end,
                                           .status = image->status,
                                           .is_alive = image->is_alive,
                                           .pasts = r->pasts,
                                           .interrupted = hm_recording_interrupted};
    if (hm_convert(&how, &made, &error)) {
        fprintf(stderr, "heapmark record: %s\n", error.line);
        r->failed++;
        return;
    }
    if (!r->quiet)
        put_row(r, file, image, &made);
    put_troubles(file, &made);
}

static size_t count_traces(const struct hm_recording *recording) {
    size_t count = 0;
    for (size_t i = 0; i < recording->count; i++)
        count += recording->images[i].has_calls;
    return count;
}

/* What the command became in the end has the file's own name: `env`, or a shell's `exec`, comes
 * behind it. */
static size_t first_of(const struct hm_recording *recording) {
    size_t first = 0;
    while (!recording->images[first].has_calls)
        first++;
    for (size_t i = first; i < recording->count; i++)
        if (recording->images[i].has_calls && recording->images[i].pid == recording->pid)
            first = i;
    return first;
}

static void convert_all(struct record *r, const struct hm_recording *recording) {
    size_t number = 1;
    char longest[PATH_MAX + 32];
    numbered(r->out, count_traces(recording), longest, sizeof longest);
    r->name_width = strlen(longest);
    if (!r->quiet)
        fprintf(stderr, "%-*s %-14s %8s %12s %9s  %s\n", (int)r->name_width, "trace", "program",
                "process", "operations", "peak", "end");
    size_t first = first_of(recording);
    convert(r, recording, &recording->images[first], &number);
    for (size_t i = 0; i < recording->count && !hm_recording_interrupted(); i++)
        if (recording->images[i].has_calls && i != first) {
            number++;
            convert(r, recording, &recording->images[i], &number);
        }
}

/* ---- The command ---- */

static int say(int code, const struct hm_error *error) {
    fprintf(stderr, "heapmark record: %s\n", error->line);
    return code;
}

static int status_of(int wait_status) {
    return WIFSIGNALED(wait_status) ? EXIT_SIGNAL + WTERMSIG(wait_status)
                                    : WEXITSTATUS(wait_status);
}

static int recorded_nothing(const struct record *r, const struct hm_recording *recording,
                            int status) {
    struct hm_error error;
    hm_error_set(&error, "recorded nothing: %s %s", r->program,
                 recording->count        ? "made no heap call"
                 : recording->unreadable ? "found no room in the spool"
                                         : "did not load the library");
    return say(status ? status : HM_EXIT_FAILED, &error);
}

static int make_traces(struct record *r, const struct hm_recording *recording) {
    int status = status_of(recording->wait_status);
    if (!count_traces(recording))
        return recorded_nothing(r, recording, status);
    r->pasts = hm_convert_pasts_new();
    if (!r->pasts) {
        fputs("heapmark record: out of memory\n", stderr);
        return HM_EXIT_FAILED;
    }
    convert_all(r, recording);
    hm_convert_pasts_free(r->pasts);
    if (recording->unreadable)
        fprintf(
            stderr,
            "heapmark record: %zu processes are missing: no room in the spool, or killed as they "
            "began\n",
            recording->unreadable);
    return r->failed ? HM_EXIT_FAILED : status;
}

static int record_it(struct record *r) {
    struct hm_recording recording;
    struct hm_error error;
    int bad = hm_recording_run(&r->how, &recording, &error);
    int status =
        bad ? say(recording.folder[0] && recording.pid > 0 && !recording.count ? EXIT_NO_EXEC
                                                                               : HM_EXIT_FAILED,
                  &error)
            : make_traces(r, &recording);
    hm_recording_close(&recording);
    return hm_recording_interrupted() ? EXIT_SIGNAL + hm_recording_interrupted() : status;
}

static int find_program(struct record *r, struct hm_error *error) {
    const char *command = r->how.argv[0];
    int bad = hm_executable_find(command, r->program);
    r->how.program = r->program;
    return bad ? hm_fail(error, bad, "%s: %s", command,
                         bad == ENOENT ? "command not found" : strerror(bad))
               : 0;
}

static int run(int argc, char **argv) {
    struct record r = {.how = {.frames = 0}};
    struct hm_error error = {""};
    if (argc > 1 && strcmp(argv[1], "--objects") == 0)
        return hm_record_objects(argc, argv);
    if (parse(&r, argc, argv, &error))
        return say(HM_EXIT_USAGE, &error);
    int bad = find_program(&r, &error);
    if (bad)
        return say(bad == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC, &error);
    name_file(&r);
    if (check_file(&r, &error))
        return say(HM_EXIT_USAGE, &error);
    if (find_library(&r, &error))
        return say(HM_EXIT_FAILED, &error);
    if (hm_executable_takes_preload(r.program, &error)) {
        fprintf(stderr, "heapmark record: recorded nothing: %s\n", error.line);
        return HM_EXIT_FAILED;
    }
    return record_it(&r);
}

static const struct hm_command record = {
    .name = "record", .summary = "a program's heap calls, as a trace", .usage = usage, .run = run};
HM_REGISTER(hm_command, record);
