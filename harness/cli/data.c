/* Where heapmark's own data files are. */
#include "harness/cli/data.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int hm_program_path(char *out, size_t size) {
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    if (length < 0)
        return errno;
    out[length] = '\0';
    return 0;
}

/* The installed files come first; a binary in a build folder has none beside it. */
int hm_data_path(const char *name, char *out, size_t size) {
    static const char *const in_source[] = {HM_SOURCE_DIR, HM_SOURCE_DIR "/docs"};
    char program[PATH_MAX];
    int bad = hm_program_path(program, sizeof program);
    if (bad)
        return bad;
    *strrchr(program, '/') = '\0';
    snprintf(out, size, "%s/%s/%s", program, HM_DATA_FROM_BIN, name);
    if (access(out, R_OK) == 0)
        return 0;
    for (size_t i = 0; i < sizeof in_source / sizeof *in_source; i++) {
        snprintf(out, size, "%s/%s", in_source[i], name);
        if (access(out, R_OK) == 0)
            return 0;
    }
    return ENOENT;
}
