/* What the control groups let this process use.
 *
 * A controller is in one hierarchy: one of v1's, which names it, or else v2's. /proc/self/cgroup
 * tells the process's group in each, and /proc/self/mountinfo where the hierarchy is mounted, and
 * from which group on (a container sees only its own). */
#include "harness/machine/cgroup.h"

#include "harness/machine/file.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIFIED "" /* v2's name in /proc/self/cgroup: no controller is bound to it */

struct group {
    char folder[PATH_MAX]; /* of the process's own group */
    size_t top;            /* length of the mount point in it */
    bool unified;
};

/* Whether a comma-separated list has a word; the empty list has the empty word. */
static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (;;) {
        size_t next = strcspn(list, ",");
        if (next == length && memcmp(list, word, length) == 0)
            return true;
        if (!list[next])
            return false;
        list += next + 1;
    }
}

static FILE *open_proc(const char *root, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/self/%s", root, name);
    return fopen(path, "re");
}

/* Lines are "id:controllers:path". */
static bool find_path(const char *root, const char *controller, char *path, size_t size) {
    FILE *in = open_proc(root, "cgroup");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (in && !found && getline(&line, &room, in) >= 0) {
        char *list = strchr(line, ':');
        char *end = list ? strchr(list + 1, ':') : NULL;
        if (!end)
            continue;
        *end = '\0';
        found = has_word(list + 1, controller);
        if (found)
            hm_file_copy_line(end + 1, path, size);
    }
    free(line);
    if (in)
        fclose(in);
    return found;
}

struct mount {
    char from[PATH_MAX]; /* the group that is its root */
    char at[PATH_MAX];
};

static bool read_mount(const char *line, const char *controller, struct mount *out) {
    char type[32];
    char options[256];
    const char *rest = strstr(line, " - ");
    bool unified = !*controller;
    return rest && sscanf(rest, " - %31s %*s %255s", type, options) == 2 &&
           strcmp(type, unified ? "cgroup2" : "cgroup") == 0 &&
           (unified || has_word(options, controller)) &&
           sscanf(line, "%*s %*s %*s %4095s %4095s", out->from, out->at) == 2;
}

static bool find_mount(const char *root, const char *controller, struct mount *out) {
    FILE *in = open_proc(root, "mountinfo");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (in && !found && getline(&line, &room, in) >= 0)
        found = read_mount(line, controller, out);
    free(line);
    if (in)
        fclose(in);
    return found;
}

/* A group outside of what is mounted ("/..") has no folder: the mount point stands for it. */
static bool find_in(const char *root, const char *controller, struct group *out) {
    char path[PATH_MAX];
    struct mount mount;
    if (!find_path(root, controller, path, sizeof path) || !find_mount(root, controller, &mount))
        return false;
    size_t from = strcmp(mount.from, "/") == 0 ? 0 : strlen(mount.from);
    const char *below = strncmp(path, mount.from, from) == 0 ? path + from : "";
    if (below[0] != '/' || strncmp(below, "/..", 3) == 0 || strcmp(below, "/") == 0)
        below = "";
    int length = snprintf(out->folder, sizeof out->folder, "%s%s%s", root, mount.at, below);
    out->top = strlen(root) + strlen(mount.at);
    out->unified = !*controller;
    return length < (int)sizeof out->folder;
}

static bool find_group(const char *root, const char *controller, struct group *out) {
    return find_in(root, controller, out) || find_in(root, UNIFIED, out);
}

/* A file of a group. @return false where the group has none, as v2's root and groups in which the
 * controller is off: they set no limit. */
static bool read_file(const struct group *group, const char *name, char *text, size_t size) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", group->folder, name);
    return hm_file_read(path, text, size) == 0;
}

static bool step_up(struct group *group) {
    char *slash = strrchr(group->folder + group->top, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

static double group_quota(const struct group *group) {
    char text[64];
    double quota;
    double period;
    if (group->unified)
        return read_file(group, "cpu.max", text, sizeof text) &&
                       sscanf(text, "%lf %lf", &quota, &period) == 2
                   ? quota / period
                   : INFINITY;
    if (!read_file(group, "cpu.cfs_quota_us", text, sizeof text))
        return INFINITY;
    quota = strtod(text, NULL);
    if (quota < 0 || !read_file(group, "cpu.cfs_period_us", text, sizeof text))
        return INFINITY;
    return quota / strtod(text, NULL);
}

/* v1 has no word for "no limit": it is the largest number of whole pages. */
static double group_memory(const struct group *group) {
    char text[64];
    const char *name = group->unified ? "memory.max" : "memory.limit_in_bytes";
    double bytes;
    if (!read_file(group, name, text, sizeof text) || sscanf(text, "%lf", &bytes) != 1)
        return INFINITY;
    return bytes < 0x1p62 ? bytes : INFINITY;
}

static double tightest(struct group *group, double (*limit_of)(const struct group *)) {
    double tight = INFINITY;
    do
        tight = fmin(tight, limit_of(group));
    while (step_up(group));
    return tight;
}

static void read_cpuset(const struct group *group, char *out, size_t size) {
    if (!read_file(group, group->unified ? "cpuset.cpus.effective" : "cpuset.effective_cpus", out,
                   size))
        read_file(group, "cpuset.cpus", out, size);
}

void hm_cgroup_read(const char *root, struct hm_cgroup *out) {
    struct group group;
    *out = (struct hm_cgroup){.cpu_quota = NAN, .memory_bytes = NAN};
    if (find_group(root, "cpu", &group))
        out->cpu_quota = tightest(&group, group_quota);
    if (find_group(root, "memory", &group))
        out->memory_bytes = tightest(&group, group_memory);
    if (find_group(root, "cpuset", &group))
        read_cpuset(&group, out->cpuset, sizeof out->cpuset);
}
