/* What the processes of a program said of their allocator. */
#include "harness/exec/witness.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The fields of a line, in their order. */
enum {
    PID,
    LIBRARY,
    BUILD_ID,
    ENTRY,
    ENTRY_LIBRARY,
    PROGRAM,
    FIELDS,
};

/* @return whether the line has all fields, and no more */
static bool split(char *line, char *fields[FIELDS]) {
    size_t count = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *field; (field = strsep(&line, "\t")); count++)
        if (count < FIELDS)
            fields[count] = field;
    return count == FIELDS;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool same_file(const char *path, const char *real) {
    char found[PATH_MAX];
    return strcmp(path, real) == 0 || (realpath(path, found) && strcmp(found, real) == 0);
}

static int judge_line(char *fields[FIELDS], const struct hm_witness_case *about,
                      struct hm_error *error) {
    const char *program = base_name(fields[PROGRAM]);
    if (!same_file(fields[LIBRARY], about->library))
        return hm_fail(error, EXDEV, "malloc of %s comes from %s, not from %s", program,
                       fields[LIBRARY], about->library);
    if (strcmp(fields[ENTRY], "-") != 0)
        return hm_fail(error, EXDEV, "%s of %s comes from %s, not from %s", fields[ENTRY], program,
                       fields[ENTRY_LIBRARY], about->library);
    if (about->build_id[0] && strcmp(fields[BUILD_ID], about->build_id) != 0)
        return hm_fail(error, EXDEV, "%s runs on a %s with build id %s, not %s", program,
                       base_name(about->library), fields[BUILD_ID], about->build_id);
    return 0;
}

int hm_witness_judge(FILE *in, const struct hm_witness_case *about, struct hm_error *error) {
    char *line = NULL;
    char *fields[FIELDS];
    size_t room = 0;
    bool seen = false;
    int bad = 0;
    while (!bad && getline(&line, &room, in) >= 0) {
        if (!split(line, fields)) {
            bad = hm_fail(error, EINVAL, "something else wrote into the file of the witness");
            break;
        }
        bool command = strtol(fields[PID], NULL, 10) == about->command;
        seen = seen || command;
        if (command || !about->any_child)
            bad = judge_line(fields, about, error);
    }
    free(line);
    if (!bad && !seen)
        bad = hm_fail(error, ENOENT,
                      "it took no preload: a static or set-user-id program, or one for "
                      "another C library");
    return bad;
}
