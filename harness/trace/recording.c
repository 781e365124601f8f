/* A recording: a command that runs with the recording library under it, and the spools that it and
 * its children leave. */
#include "harness/trace/recording.h"

#include "harness/trace/spool_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RUN_FAILED = 127
};

static volatile sig_atomic_t command_pid; /* for the handler */

static void hand_on(int number) {
    if (command_pid > 0)
        kill((pid_t)command_pid, number);
}

struct signals {
    struct sigaction interrupt, quit, terminate, hang_up;
};

/* What the user's terminal sends goes to the command, too: it decides. */
static void stand_back(struct signals *old) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction pass = {.sa_handler = hand_on, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &ignore, &old->interrupt);
    sigaction(SIGQUIT, &ignore, &old->quit);
    sigaction(SIGTERM, &pass, &old->terminate);
    sigaction(SIGHUP, &pass, &old->hang_up);
}

static void restore(const struct signals *old) {
    sigaction(SIGINT, &old->interrupt, NULL);
    sigaction(SIGQUIT, &old->quit, NULL);
    sigaction(SIGTERM, &old->terminate, NULL);
    sigaction(SIGHUP, &old->hang_up, NULL);
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
    if (length >= (int)sizeof r->folder - HM_SPOOL_NAME_BYTES || !mkdtemp(r->folder)) {
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

static int add_image(struct hm_recording *r, const char *name) {
    char path[PATH_MAX + 256];
    struct hm_spool *spool;
    struct hm_recorded_image *images = realloc(r->images, (r->count + 1) * sizeof *images);
    if (!images)
        return ENOMEM;
    r->images = images;
    snprintf(path, sizeof path, "%s/%s", r->folder, name);
    if (strlen(name) >= sizeof images->name || hm_spool_open(path, &spool))
        return 0; /* of a process that was killed as it made it */
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
    snprintf(image->program, sizeof image->program, "%.*s", (int)sizeof head->program,
             head->program);
    hm_spool_close(spool);
    return 0;
}

static int by_start(const void *a, const void *b) {
    const struct hm_recorded_image *left = a;
    const struct hm_recorded_image *right = b;
    return (left->started_ns > right->started_ns) - (left->started_ns < right->started_ns);
}

static bool has_successor(const struct hm_recording *r, size_t which) {
    for (size_t i = which + 1; i < r->count; i++)
        if (r->images[i].pid == r->images[which].pid)
            return true;
    return false;
}

/* A later image of the same process took its place. */
static void find_ends(struct hm_recording *r) {
    for (size_t i = 0; i < r->count; i++) {
        struct hm_recorded_image *image = &r->images[i];
        if (has_successor(r, i)) {
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
    if (r->count)
        qsort(r->images, r->count, sizeof *r->images, by_start);
    find_ends(r);
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
    stand_back(&old);
    bad = start(options, out, &old);
    if (bad) {
        restore(&old);
        return hm_fail(error, bad, "%s: %s", options->program, strerror(bad));
    }
    command_pid = out->pid;
    while (waitpid(out->pid, &out->wait_status, 0) < 0 && errno == EINTR)
        ;
    command_pid = 0;
    bad = find_images(out, error);
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
