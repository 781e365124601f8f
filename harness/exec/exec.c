/* Measures a whole program once. */
#include "harness/exec/exec.h"

#include "harness/exec/environment.h"
#include "harness/exec/launch.h"
#include "harness/exec/witness.h"
#include "harness/exec/words.h"
#include "harness/machine/preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    TREE_FDS = 16, /* that the removal of a scratch folder may hold */
    READY_MS = 10, /* between two questions to a server */
    STOP_S = 5,    /* that a server may take to end */
};

/* The files of one process. */
struct files {
    char name[PATH_MAX]; /* what all their names begin with; absolute */
    char witness[PATH_MAX + 16], scratch[PATH_MAX + 16], output[PATH_MAX + 16],
        errors[PATH_MAX + 16];
    int input_fd, null_fd, output_fd, errors_fd;
};

/* One measurement in progress. */
struct trial {
    const struct hm_spawn *spawn;
    const struct hm_program *program;
    const struct hm_programs *programs;
    struct hm_outcome *out;
    struct files files;
    char **measured_env, **plain_env;
    double deadline;
    struct hm_launched server, command;
};

int hm_exec_open(const char *folder, struct hm_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/" HM_EXEC_FOLDER, PATH_MAX - 16, folder);
    if (mkdir(path, 0777) && errno != EEXIST)
        return hm_fail(error, errno, "can not make the folder %s: %s", path, strerror(errno));
    return 0;
}

void hm_exec_close(const char *folder) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/" HM_EXEC_FOLDER, PATH_MAX - 16, folder);
    rmdir(path);
}

__attribute__((format(printf, 3, 4))) static void say(struct hm_outcome *out, enum hm_status status,
                                                      const char *format, ...) {
    va_list args;
    out->status = status;
    va_start(args, format);
    vsnprintf(out->reason, sizeof out->reason, format, args);
    va_end(args);
}

/* ---- Files ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
    (void)st;
    (void)kind;
    (void)where;
    return remove(path) && errno != ENOENT;
}

static void remove_tree(const char *path) {
    nftw(path, remove_one, TREE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int open_new(const char *path, int flags) {
    return open(path, flags | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

/* Names hold the cell's place in the plan, and the round; that of the warm-up is "warm". */
static void name_files(const struct hm_spawn *s, struct files *f) {
    char folder[PATH_MAX];
    char round[16] = "warm";
    if (!realpath(s->place, folder))
        snprintf(folder, sizeof folder, "%s", s->place);
    if (s->pass != HM_PASS_CALIBRATE)
        snprintf(round, sizeof round, "r%u", s->round);
    snprintf(f->name, sizeof f->name, "%.*s/c%zu-%s", PATH_MAX - 64, folder,
             (size_t)(s->cell - s->plan->cells), round);
    snprintf(f->witness, sizeof f->witness, "%s.witness", f->name);
    snprintf(f->scratch, sizeof f->scratch, "%s.d", f->name);
    snprintf(f->output, sizeof f->output, "%s.out", f->name);
    snprintf(f->errors, sizeof f->errors, "%s.err", f->name);
}

/* @return 0 or an errno; close_files in both cases */
static int open_files(struct trial *t) {
    struct files *f = &t->files;
    const char *input = t->program->input;
    name_files(t->spawn, f);
    f->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    f->input_fd = input ? open(input, O_RDONLY | O_CLOEXEC) : dup(f->null_fd);
    f->output_fd = t->programs->no_output ? dup(f->null_fd) : open_new(f->output, O_RDWR);
    f->errors_fd = open_new(f->errors, O_RDWR);
    int witness = open_new(f->witness, O_WRONLY);
    int bad = f->input_fd < 0 || f->output_fd < 0 || f->errors_fd < 0 || witness < 0 ? errno : 0;
    if (witness >= 0)
        close(witness);
    if (!bad && t->program->scratch) {
        remove_tree(f->scratch); /* of an earlier part of the run that was killed */
        bad = mkdir(f->scratch, 0777) ? errno : 0;
    }
    return bad;
}

static void close_files(struct trial *t) {
    struct files *f = &t->files;
    const int fds[] = {f->input_fd, f->null_fd, f->output_fd, f->errors_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    unlink(f->witness);
    if (t->program->scratch)
        remove_tree(f->scratch);
    if (t->programs->keep_output)
        return;
    unlink(f->output);
    unlink(f->errors);
}

/* It goes to the terminal and into tables: what would move a cursor there does not. */
static void make_plain(char *line) {
    for (; *line; line++)
        if ((unsigned char)*line < ' ' || *line == 0x7f)
            *line = '?';
}

/* The last line that has something in it. */
static void last_line(const char *path, char *out, size_t size) {
    char *line = NULL;
    size_t room = 0;
    FILE *in = fopen(path, "re");
    snprintf(out, size, "it said nothing");
    while (in && getline(&line, &room, in) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[strspn(line, " \t")])
            snprintf(out, size, "%.*s", (int)size - 1, line);
    }
    make_plain(out);
    free(line);
    if (in)
        fclose(in);
}

/* @return the hash of a file from its begin, never 0; 0: it can not be read */
static uint64_t hash_of(int fd) {
    static char bytes[1 << 16];
    ssize_t got = -1;
    XXH64_state_t *state = XXH64_createState();
    if (state && lseek(fd, 0, SEEK_SET) == 0) {
        XXH64_reset(state, 0);
        while ((got = read(fd, bytes, sizeof bytes)) > 0)
            XXH64_update(state, bytes, (size_t)got);
    }
    uint64_t hash = state && got == 0 ? XXH64_digest(state) : 0;
    XXH64_freeState(state);
    return got == 0 && !hash ? 1 : hash;
}

/* ---- Processes ---- */

/* The C library's own file, as every program finds it. */
static int find_system(char out[PATH_MAX]) {
    Dl_info info;
    void *address = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
    return address && dladdr(address, &info) && realpath(info.dli_fname, out) ? 0 : ENOENT;
}

static int build_environments(struct trial *t, const char *system) {
    char witness[PATH_MAX];
    const struct hm_spawn *s = t->spawn;
    if (hm_preload_find("witness", witness, sizeof witness))
        return ENOENT;
    t->measured_env = hm_environment_build(environ, t->program, s->cell->arm, system, witness,
                                           t->files.witness, s->salt);
    t->plain_env = hm_environment_build(environ, t->program, NULL, NULL, NULL, NULL, 0);
    return t->measured_env && t->plain_env ? 0 : ENOMEM;
}

static int launch(struct trial *t, const struct hm_command_line *line, bool measured, int output,
                  struct hm_launched *out) {
    const struct hm_launch how = {.path = line->path,
                                  .words = line->words,
                                  .env = measured ? t->measured_env : t->plain_env,
                                  .folder = t->program->scratch ? t->files.scratch : NULL,
                                  .input = line == &t->program->command ? t->files.input_fd
                                                                        : t->files.null_fd,
                                  .output = output,
                                  .errors = t->files.errors_fd,
                                  .topology = t->spawn->topology,
                                  .cpu = measured ? t->spawn->cell->group->cpus[0] : -1};
    return hm_launch(&how, out);
}

static bool wait_for(struct trial *t, struct hm_launched *launched) {
    return hm_launched_wait(launched, t->deadline, t->spawn->interrupted);
}

static bool is_over(struct trial *t) {
    return *t->spawn->interrupted || hm_launch_now_s() >= t->deadline;
}

/* Ask until the answer is yes. @return 0, or an errno: also when there is no server any more to be asked */
static int await_server(struct trial *t) {
    static const volatile sig_atomic_t never = 0;
    while (!is_over(t) && !hm_launched_wait(&t->server, 0, &never)) {
        struct hm_launched question = {.pid = 0};
        struct hm_usage usage;
        int bad = launch(t, &t->program->ready, false, t->files.errors_fd, &question);
        if (bad)
            return bad;
        bool ended = wait_for(t, &question);
        hm_launched_reap(&question, &usage);
        if (ended && usage.status == 0)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = READY_MS * 1000000L}, NULL);
    }
    return ECONNREFUSED;
}

/* @param server what it took; it is told to end, and killed when it does not */
static void stop_server(struct trial *t, struct hm_usage *server) {
    kill(t->server.pid, SIGTERM);
    hm_launched_wait(&t->server, hm_launch_now_s() + STOP_S, t->spawn->interrupted);
    hm_launched_reap(&t->server, server);
}

/* ---- Judging ---- */

static bool is_proven(struct trial *t, pid_t pid, const char *system) {
    const struct hm_arm *arm = t->spawn->cell->arm;
    struct hm_error error = {""};
    const struct hm_witness_case about = {.command = pid,
                                          .library = arm->library[0] ? arm->library : system,
                                          .build_id = arm->build_id,
                                          .any_child = t->programs->any_child};
    FILE *in = fopen(t->files.witness, "re");
    int bad = in ? hm_witness_judge(in, &about, &error)
                 : hm_fail(&error, errno, "the file of the witness is gone");
    if (in)
        fclose(in);
    if (bad)
        say(t->out, HM_STATUS_WRONG_ALLOCATOR, "%.250s", error.line);
    else
        snprintf(t->out->proof, sizeof t->out->proof, "%s", about.library);
    return !bad;
}

/* How a process ended; what it says last is the reason. @return whether it is as it should be */
static bool ended_well(struct trial *t, const struct hm_usage *u, int expect, const char *who) {
    char last[160];
    last_line(t->files.errors, last, sizeof last);
    if (u->failed)
        say(t->out, HM_STATUS_EXIT, "%scan not be executed: %s", who, strerror(u->failed));
    else if (WIFSIGNALED(u->status))
        say(t->out, HM_STATUS_SIGNAL, "%skilled by %s (%s)", who, strsignal(WTERMSIG(u->status)),
            last);
    else if (WEXITSTATUS(u->status) != expect)
        say(t->out, HM_STATUS_EXIT, "%sexit status %d, not %d (%s)", who, WEXITSTATUS(u->status),
            expect, last);
    return t->out->status == HM_STATUS_OK;
}

static void add_value(struct hm_outcome *out, const char *metric, double value) {
    if (!isfinite(value))
        return;
    struct hm_measured *grown = realloc(out->values, (out->value_count + 1) * sizeof *out->values);
    if (!grown) {
        say(out, HM_STATUS_INVALID, "out of memory for its values");
        return;
    }
    out->values = grown;
    struct hm_measured *v = &grown[out->value_count++];
    *v = (struct hm_measured){.thread = -1, .value = value};
    snprintf(v->metric, sizeof v->metric, "%s", metric);
}

/* @param time of the command  @param space of what the allocator is under: the command, or its server */
static void add_values(struct hm_outcome *out, const struct hm_usage *time,
                       const struct hm_usage *space) {
    const struct {
        const char *metric;
        double value;
    } all[] = {{"wall_ns", time->wall_ns},
               {"ops_per_second", 1e9 / time->wall_ns},
               {"cpu_ns", space->user_ns + space->sys_ns},
               {"user_ns", space->user_ns},
               {"sys_ns", space->sys_ns},
               {"peak_rss_bytes", space->peak_bytes},
               {"minor_faults", space->minor_faults},
               {"major_faults", space->major_faults},
               {"voluntary_switches", space->voluntary_switches},
               {"involuntary_switches", space->involuntary_switches},
               {"exit_status", WEXITSTATUS(time->status)}};
    out->ops = 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        add_value(out, all[i].metric, all[i].value);
    if (!(time->wall_ns > 0))
        say(out, HM_STATUS_UNTRUSTED, "the clock went backwards");
}

static void look_at_output(struct trial *t) {
    if (t->programs->no_output)
        return;
    t->out->output_hash = hash_of(t->files.output_fd);
    t->out->checksum = t->programs->same_output ? t->out->output_hash : 0;
}

/* ---- One trial ---- */

/* The command, or the client; with a server, when that is ready. @return 0 or an errno */
static int run_command(struct trial *t, struct hm_usage *usage, pid_t *pid) {
    int bad =
        launch(t, &t->program->command, !t->program->server.words, t->files.output_fd, &t->command);
    if (bad)
        return bad;
    *pid = t->command.pid;
    bool ended = wait_for(t, &t->command);
    hm_launched_reap(&t->command, usage);
    if (*t->spawn->interrupted)
        say(t->out, HM_STATUS_INTERRUPTED, "the run was interrupted");
    else if (!ended)
        say(t->out, HM_STATUS_TIMEOUT, "not done after %g s", t->spawn->plan->timeout_s);
    return 0;
}

/* A crash says more than that the allocator was not in; that it was not, more than an exit status. */
static void judge(struct trial *t, pid_t pid, const struct hm_usage *u, const char *system) {
    if (t->out->status != HM_STATUS_OK)
        return;
    if (u->failed || WIFSIGNALED(u->status) || is_proven(t, pid, system))
        ended_well(t, u, t->program->expect, "");
}

static int run_alone(struct trial *t, const char *system) {
    struct hm_usage usage;
    pid_t pid;
    int bad = run_command(t, &usage, &pid);
    if (bad)
        return bad;
    judge(t, pid, &usage, system);
    snprintf(t->out->pins, sizeof t->out->pins, "%s", usage.pin);
    if (t->out->status == HM_STATUS_OK)
        add_values(t->out, &usage, &usage);
    return 0;
}

/* SIGTERM is how we end a server: to die of it is to do as told. */
static bool server_ended_well(struct trial *t, const struct hm_usage *server) {
    bool told = WIFSIGNALED(server->status) && WTERMSIG(server->status) == SIGTERM;
    return told || ended_well(t, server, 0, "the server: ");
}

static int run_with_server(struct trial *t, const char *system) {
    struct hm_usage server = {.status = 0};
    struct hm_usage client = {.status = 0};
    pid_t client_pid;
    int bad = launch(t, &t->program->server, true, t->files.errors_fd, &t->server);
    if (bad)
        return bad;
    pid_t pid = t->server.pid;
    int unready = await_server(t);
    if (!unready)
        bad = run_command(t, &client, &client_pid);
    else if (is_over(t))
        say(t->out, *t->spawn->interrupted ? HM_STATUS_INTERRUPTED : HM_STATUS_TIMEOUT,
            "the server was not ready after %g s", t->spawn->plan->timeout_s);
    stop_server(t, &server);
    snprintf(t->out->pins, sizeof t->out->pins, "%s", server.pin);
    if (bad || t->out->status != HM_STATUS_OK)
        return bad;
    if (!server_ended_well(t, &server) || !is_proven(t, pid, system))
        return 0;
    if (unready)
        say(t->out, HM_STATUS_INVALID, "the server ended before its client began");
    else if (ended_well(t, &client, t->program->expect, "the client: "))
        add_values(t->out, &client, &server);
    return 0;
}

int hm_exec_cell(const struct hm_spawn *spawn, struct hm_outcome *out) {
    char system[PATH_MAX];
    double begin = hm_launch_now_s();
    struct trial t = {.spawn = spawn,
                      .program = spawn->cell->group->program,
                      .programs = spawn->plan->programs,
                      .out = out,
                      .deadline = begin + spawn->plan->timeout_s};
    *out = (struct hm_outcome){.status = HM_STATUS_OK};
    int bad = open_files(&t);
    if (!bad)
        bad = find_system(system);
    if (!bad)
        bad = build_environments(&t, system);
    if (!bad)
        bad = t.program->server.words ? run_with_server(&t, system) : run_alone(&t, system);
    hm_launch_sweep();
    if (!bad && out->status == HM_STATUS_OK)
        look_at_output(&t);
    close_files(&t);
    hm_words_free(t.measured_env);
    hm_words_free(t.plain_env);
    out->seconds = hm_launch_now_s() - begin;
    return bad;
}
