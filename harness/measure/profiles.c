/* Callgrind's files. Counts are numbered: NAME.1 is the first one's, and NAME what is left at the end. */
#include "harness/measure/profiles.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int hm_profiles_open(const struct hm_folder *folder, struct hm_error *error) {
    char path[PATH_MAX];
    if (mkdir(hm_folder_file(folder, "callgrind", path), 0777) && errno != EEXIST)
        return hm_fail(error, errno, "can not make the folder %s: %s", path, strerror(errno));
    return 0;
}

void hm_profiles_name(const struct hm_folder *folder, size_t cell, unsigned round,
                      char path[PATH_MAX]) {
    char name[64];
    snprintf(name, sizeof name, "callgrind/c%zu-r%u.out", cell, round);
    hm_folder_file(folder, name, path);
}

static void name_count(const char *path, unsigned count, char out[PATH_MAX + 16]) {
    snprintf(out, PATH_MAX + 16, "%s.%u", path, count);
}

void hm_profiles_keep(const char *path) {
    char counted[PATH_MAX + 16];
    name_count(path, 1, counted);
    if (rename(counted, path))
        unlink(path); /* it failed: there is nothing to keep */
}

void hm_profiles_drop(const char *path) {
    char counted[PATH_MAX + 16];
    unsigned count = 0;
    do
        name_count(path, ++count, counted);
    while (unlink(counted) == 0);
    unlink(path);
}
