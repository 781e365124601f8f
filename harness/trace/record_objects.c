/* The interpreter runs our module, which runs the program and writes what it found; that file is checked and
 * compressed here. */
#include "harness/trace/record_objects.h"

#include "harness/cli/command.h"
#include "harness/cli/data.h"
#include "harness/error.h"
#include "traces/objects.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXIT_NO_EXEC = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL = 128,
};

struct recording {
    const char *path; /* of the file that is left */
    const char *moment;
    bool quiet;
    char *const *command;
    size_t words;
    size_t program; /* which word of the command it is */
    char module[PATH_MAX];
    char own_path[PATH_MAX];
    char plain[PATH_MAX]; /* what the module writes */
};

static const struct option options[] = {{"objects", no_argument, NULL, 'O'},
                                        {"at", required_argument, NULL, 'a'},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {NULL, 0, NULL, 0}};

/* ---- Options ---- */

static int take_option(struct recording *r, int option, const char *word, struct hm_error *error) {
    switch (option) {
    case 'O':
        return 0;
    case 'q':
        r->quiet = true;
        return 0;
    case 'o':
        r->path = optarg;
        return 0;
    case 'a':
        r->moment = optarg;
        return 0;
    case ':':
        return hm_fail(error, EINVAL, "option '%s' needs a value", word);
    default:
        return hm_fail(error, EINVAL, "unknown option '%s'; see 'heapmark record --help'", word);
    }
}

/* The interpreter's own options stay with it: those that take the next word are -W and -X. */
static int find_program(struct recording *r, struct hm_error *error) {
    for (r->program = 1; r->program < r->words; r->program++) {
        const char *word = r->command[r->program];
        if (word[0] != '-')
            return 0;
        if (strchr("cm-", word[1]) || !word[1])
            return hm_fail(error, EINVAL, "'%s': the program must be a file", word);
        r->program += (word[1] == 'W' || word[1] == 'X') && !word[2];
    }
    return hm_fail(error, EINVAL,
                   "which program? as in: heapmark record --objects -- python3 FILE");
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int choose_paths(struct recording *r, struct hm_error *error) {
    const char *program = last_part(r->command[r->program]);
    int length = snprintf(r->own_path, sizeof r->own_path, "%s.hmobjects", program);
    if (length >= 0 && (size_t)length < sizeof r->own_path && !r->path)
        r->path = r->own_path;
    if (r->path)
        length = snprintf(r->plain, sizeof r->plain, "%s.plain%ld", r->path, (long)getpid());
    if (!r->path || length < 0 || (size_t)length >= sizeof r->plain)
        return hm_fail(error, EINVAL, "the name of the file is too long");
    if (access(r->path, F_OK) == 0)
        return hm_fail(error, EINVAL, "%s is there already", r->path);
    if (hm_data_path("python/heapmark_objects.py", r->module, sizeof r->module))
        return hm_fail(error, ENOENT, "heapmark_objects.py is not installed");
    return 0;
}

/* Names of signals are the module's to know. */
static bool is_moment(const char *text) {
    static const char collection[] = "collection=", named[] = "signal=";
    if (strncmp(text, named, sizeof named - 1) == 0)
        return text[sizeof named - 1];
    if (strncmp(text, collection, sizeof collection - 1) != 0)
        return strcmp(text, "exit") == 0 || strcmp(text, "call") == 0;
    const char *digits = text + sizeof collection - 1;
    return *digits && !digits[strspn(digits, "0123456789")];
}

/* The module refuses these as well, but then there is a second line, of what was not recorded. */
static int check(const struct recording *r, struct hm_error *error) {
    const char *program = r->command[r->program];
    if (!is_moment(r->moment))
        return hm_fail(error, EINVAL, "--at %s: must be exit, call, collection=N or signal=NAME",
                       r->moment);
    return access(program, R_OK) ? hm_fail(error, EINVAL, "%s: %s", program, strerror(errno)) : 0;
}

static int parse(struct recording *r, int argc, char **argv, struct hm_error *error) {
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:o:", options, NULL)) != -1) {
        int bad = take_option(r, option, argv[optind - 1], error);
        if (bad)
            return bad;
    }
    r->command = argv + optind;
    r->words = (size_t)(argc - optind);
    int bad = find_program(r, error);
    if (!bad)
        bad = check(r, error);
    return bad ? bad : choose_paths(r, error);
}

/* ---- Running it ---- */

/* The command with the module, and its options, in front of the program. NULL: no memory */
static char **words_of(struct recording *r) {
    char *const own[] = {r->module, "--quiet", "-o", r->plain, "--at", (char *)(uintptr_t)r->moment,
                         "--"};
    size_t owned = sizeof own / sizeof *own;
    char **words = calloc(r->words + owned + 1, sizeof *words);
    if (!words)
        return NULL;
    memcpy(words, r->command, r->program * sizeof *words);
    memcpy(words + r->program, own, sizeof own);
    memcpy(words + r->program + owned, r->command + r->program,
           (r->words - r->program) * sizeof *words);
    return words;
}

/* @return 0 and how it ended, or an errno */
static int run_program(struct recording *r, int *status) {
    pid_t child;
    char **words = words_of(r);
    if (!words)
        return ENOMEM;
    int bad = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
    free(words);
    while (!bad && waitpid(child, status, 0) < 0)
        bad = errno == EINTR ? 0 : errno;
    return bad;
}

static void tell(const struct recording *r) {
    char why[HM_OBJECTS_WHY_BYTES];
    const struct hm_objects *objects;
    if (r->quiet || hm_objects_open(r->path, &objects, why))
        return;
    fprintf(stderr, "%s: %u containers, %u leaves, %u references, %u roots\n", r->path,
            objects->containers, objects->count - objects->containers, objects->slots,
            objects->roots);
    hm_objects_close(objects);
}

static int say(int code, const struct hm_error *error) {
    fprintf(stderr, "heapmark record: %s\n", error->line);
    return code;
}

/* @return whether the file is there; else *code is said to the user */
static bool keep(struct recording *r, int status, int *code) {
    char why[HM_OBJECTS_WHY_BYTES];
    struct hm_error error = {""};
    *code = HM_EXIT_FAILED;
    if (access(r->plain, F_OK) == 0) {
        int bad = hm_objects_pack(r->plain, r->path, why);
        unlink(r->plain);
        if (bad)
            hm_error_set(&error, "%s", why);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == HM_EXIT_USAGE) {
        *code = HM_EXIT_USAGE; /* the module may have said why */
        hm_error_set(&error, "%s was not recorded", r->command[r->program]);
    } else {
        hm_error_set(&error, "%s was not recorded", r->command[r->program]);
    }
    if (error.line[0])
        say(0, &error);
    return !error.line[0];
}

static int carry_out(struct recording *r) {
    struct hm_error error = {""};
    int status = 0;
    int code;
    int bad = run_program(r, &status);
    if (bad) {
        hm_error_set(&error, "%s: %s", r->command[0], strerror(bad));
        return say(bad == ENOENT ? EXIT_NOT_FOUND : EXIT_NO_EXEC, &error);
    }
    if (!keep(r, status, &code))
        return code;
    tell(r);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
}

int hm_record_objects(int argc, char **argv) {
    struct recording r = {.moment = "exit"};
    struct hm_error error = {""};
    int bad = parse(&r, argc, argv, &error);
    if (bad)
        return say(bad == EINVAL ? HM_EXIT_USAGE : HM_EXIT_FAILED, &error);
    return carry_out(&r);
}
