/* Our own libraries for LD_PRELOAD. */
#include "harness/machine/preload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int hm_preload_find(const char *name, char *out, size_t size) {
    static const char *const folders[] = {HM_PRELOAD_FROM_BIN, "preload"};
    char program[PATH_MAX];
    char path[2 * PATH_MAX];
    char real[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0)
        return ENOENT;
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s/libheapmark-%s.so", program, folders[i], name);
        if (realpath(path, real) && strlen(real) < size) {
            memcpy(out, real, strlen(real) + 1);
            return 0;
        }
    }
    return ENOENT;
}
