/* A recording: a command that runs with the recording library under it, and the spools that it and
 * its children leave.
 *
 * Invariants
 *   When the command has ended the folder of the spools gets another name, before anybody looks at
 *   them: processes that still run can not make new ones, nor use a full chunk again. */
#include "harness/trace/recording.h"

#include "harness/trace/spool_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RUN_FAILED = 127,
    SETTLING_NS = 20000000,
};

/* ---- Signals ---- */

static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
enum {
    SIGNALS = sizeof numbers / sizeof *numbers,
};

struct signals {
    struct sigaction actions[SIGNALS];
    sigset_t blocked;
};

/* For the handler. */
static volatile sig_atomic_t command_pid;
static volatile sig_atomic_t interrupted;

/* What the user's terminal sends goes to the command, too: it decides. */
static void hand_on(int number) {
    if (command_pid <= 0)
        interrupted = number;
    else if (number == SIGTERM || number == SIGHUP)
        kill((pid_t)command_pid, number);
}

int hm_recording_interrupted(void) {
    return interrupted;
}

/* They are blocked until the command is there. What was ignored stays so, as under nohup. */
static void stand_back(struct signals *old) {
    struct sigaction pass = {.sa_handler = hand_on, .sa_flags = SA_RESTART};
    sigset_t ours;
    sigemptyset(&ours);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&ours, numbers[i]);
    sigprocmask(SIG_BLOCK, &ours, &old->blocked);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(numbers[i], &pass, &old->actions[i]);
        if (old->actions[i].sa_handler == SIG_IGN)
            sigaction(numbers[i], &old->actions[i], NULL);
    }
}

static void restore(const struct signals *old) {
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(numbers[i], &old->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &old->blocked, NULL);
}

/* ---- The command ---- */

/* In the forked child: never returns. Only here are the library and its variable set. */
__attribute__((noreturn)) static void become_command(const struct hm_recording_options *options,
                                                     const char *folder, const struct signals *old,
                                                     int report) {
    char wish[PATH_MAX + 64];
    char preload[2 * PATH_MAX];
    const char *others = getenv("LD_PRELOAD");
    snprintf(wish, sizeof wish, "%07d:%d:%u:%s", options->command_only ? (int)getpid() : 0,
             options->times, options->frames, folder);
    snprintf(preload, sizeof preload, "%s%s%s", options->library, others && *others ? ":" : "",
             others ? others : "");
    restore(old);
    if (setenv(HM_SPOOL_VARIABLE, wish, 1) == 0 && setenv("LD_PRELOAD", preload, 1) == 0)
        execv(options->program, options->argv);
    int bad = errno;
    if (write(report, &bad, sizeof bad) < 0)
        errno = bad;
    _exit(RUN_FAILED);
}

/* @return 0, or the errno of an exec that failed, in which case it is reaped */
static int start(const struct hm_recording_options *options, struct hm_recording *r,
                 const struct signals *old) {
    int report[2];
    int bad = 0;
    if (pipe2(report, O_CLOEXEC))
        return errno;
    r->pid = fork();
    if (r->pid == 0)
        become_command(options, r->folder, old, report[1]);
    if (r->pid < 0)
        bad = errno;
    close(report[1]);
    if (!bad && read(report[0], &bad, sizeof bad) != sizeof bad)
        bad = 0;
    close(report[0]);
    if (bad && r->pid > 0)
        waitpid(r->pid, NULL, 0);
    return bad;
}

static int make_folder(const char *parent, struct hm_recording *r, struct hm_error *error) {
    char given[PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    if (!parent)
        parent = temporary && *temporary ? temporary : "/tmp";
    if (!realpath(parent, given))
        return hm_fail(error, errno, "%s: %s", parent, strerror(errno));
    int length = snprintf(r->folder, sizeof r->folder, "%s/heapmark-XXXXXX", given);
    if (length >= (int)sizeof r->folder - 2 * HM_SPOOL_NAME_BYTES || !mkdtemp(r->folder)) {
        r->folder[0] = '\0';
        return hm_fail(error, errno, "no folder for the recording in %s: %s", parent,
                       strerror(errno));
    }
    return 0;
}

/* ---- What it left ---- */

static bool is_running(pid_t pid) {
    char path[64];
    char text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *in = fopen(path, "re");
    size_t got = in ? fread(text, 1, sizeof text - 1, in) : 0;
    if (in)
        fclose(in);
    text[got] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] && name_end[2] != 'Z' && name_end[2] != 'X';
}

static void name_program(struct hm_recorded_image *image, const struct hm_spool_head *head) {
    const char *slash = memrchr(head->program, '/', sizeof head->program);
    const char *name = slash ? slash + 1 : head->program;
    int most = (int)(head->program + sizeof head->program - name);
    snprintf(image->program, sizeof image->program, "%.*s", most, name);
}

static int add_image(struct hm_recording *r, const char *name) {
    char path[PATH_MAX + 256];
    struct hm_spool *spool;
    struct hm_recorded_image *images = realloc(r->images, (r->count + 1) * sizeof *images);
    if (!images)
        return ENOMEM;
    r->images = images;
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    if (strlen(name) >= sizeof images->name || hm_spool_open(path, &spool)) {
        r->unreadable += !strstr(name, HM_SPOOL_MAPS);
        return 0;
    }
    const struct hm_spool_head *head = hm_spool_head(spool);
    struct hm_recorded_image *image = &images[r->count++];
    *image = (struct hm_recorded_image){
        .pid = head->pid,
        .started_ns = head->started_ns,
        .has_calls = head->used > HM_SPOOL_HEAD_BYTES,
        .end = head->has_ended ? HM_TRACE_END_EXIT : HM_TRACE_END_UNKNOWN,
        .status = head->has_ended ? (int)head->status : 0,
    };
    memcpy(image->name, name, strlen(name) + 1);
    name_program(image, head);
    hm_spool_close(spool);
    return 0;
}

static int by_start(const void *a, const void *b) {
    const struct hm_recorded_image *left = a;
    const struct hm_recorded_image *right = b;
    return (left->started_ns > right->started_ns) - (left->started_ns < right->started_ns);
}

static int by_process(const void *a, const void *b) {
    const struct hm_recorded_image *left = a;
    const struct hm_recorded_image *right = b;
    return left->pid == right->pid ? by_start(a, b) : left->pid < right->pid ? -1 : 1;
}

/* They are sorted by process: a later image of it took the place of the one before. */
static void find_ends(struct hm_recording *r) {
    for (size_t i = 0; i < r->count; i++) {
        struct hm_recorded_image *image = &r->images[i];
        if (i + 1 < r->count && image->pid == image[1].pid) {
            image->end = HM_TRACE_END_EXEC;
            image->status = 0;
        } else if (image->pid == r->pid) {
            bool by_signal = WIFSIGNALED(r->wait_status);
            image->end = by_signal ? HM_TRACE_END_SIGNAL : HM_TRACE_END_EXIT;
            image->status = by_signal ? WTERMSIG(r->wait_status) : WEXITSTATUS(r->wait_status);
        } else {
            image->is_alive = image->end == HM_TRACE_END_UNKNOWN && is_running(image->pid);
        }
    }
}

static int find_images(struct hm_recording *r, struct hm_error *error) {
    DIR *folder = opendir(r->folder);
    if (!folder)
        return hm_fail(error, errno, "%s: %s", r->folder, strerror(errno));
    int bad = 0;
    for (const struct dirent *entry; !bad && (entry = readdir(folder));)
        if (entry->d_name[0] != '.')
            bad = add_image(r, entry->d_name);
    closedir(folder);
    if (bad)
        return hm_fail(error, bad, "out of memory");
    if (!r->count)
        return 0;
    qsort(r->images, r->count, sizeof *r->images, by_process);
    find_ends(r);
    qsort(r->images, r->count, sizeof *r->images, by_start);
    return 0;
}

/* Those that still run write into the chunk that they have, but who was about to empty it when the
 * folder went is given the time. */
static void wait_for_writers(const struct hm_recording *r) {
    const struct timespec settling = {.tv_nsec = SETTLING_NS};
    for (size_t i = 0; i < r->count; i++)
        if (r->images[i].is_alive) {
            nanosleep(&settling, NULL);
            return;
        }
}

static int close_folder(struct hm_recording *r, struct hm_error *error) {
    char closed[sizeof r->folder];
    snprintf(closed, sizeof closed, "%.*s.end", (int)(sizeof closed - sizeof ".end"), r->folder);
    if (rename(r->folder, closed))
        return hm_fail(error, errno, "%s: %s", r->folder, strerror(errno));
    memcpy(r->folder, closed, sizeof closed);
    return 0;
}

int hm_recording_run(const struct hm_recording_options *options, struct hm_recording *out,
                     struct hm_error *error) {
    struct signals old;
    *out = (struct hm_recording){.pid = -1};
    int bad = make_folder(options->spool, out, error);
    if (bad)
        return bad;
    command_pid = 0;
    interrupted = 0;
    stand_back(&old);
    bad = start(options, out, &old);
    if (bad) {
        restore(&old);
        return hm_fail(error, bad, "%s: %s", options->program, strerror(bad));
    }
    command_pid = out->pid;
    sigprocmask(SIG_SETMASK, &old.blocked, NULL);
    while (waitpid(out->pid, &out->wait_status, 0) < 0 && errno == EINTR)
        ;
    command_pid = 0;
    bad = close_folder(out, error);
    if (!bad)
        bad = find_images(out, error);
    wait_for_writers(out);
    return bad;
}

void hm_recording_close(struct hm_recording *recording) {
    char path[PATH_MAX + HM_SPOOL_NAME_BYTES];
    DIR *folder = recording->folder[0] ? opendir(recording->folder) : NULL;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%.31s", recording->folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (folder) {
        closedir(folder);
        rmdir(recording->folder);
    }
    free(recording->images);
    *recording = (struct hm_recording){.pid = -1};
}
