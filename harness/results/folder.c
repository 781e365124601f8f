/* The folder of one run. */
#include "harness/results/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *hm_folder_file(const struct hm_folder *folder, const char *name, char out[PATH_MAX]) {
    int length = snprintf(out, PATH_MAX, "%s/%s", folder->path, name);
    if (length < 0 || length >= PATH_MAX)
        out[0] = '\0'; /* opening it then fails, as it must */
    return out;
}

static bool is_empty(const char *path) {
    DIR *dir = opendir(path);
    bool empty = true;
    for (struct dirent *e; dir && (e = readdir(dir));)
        empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
    if (dir)
        closedir(dir);
    return empty;
}

/* mkdir -p */
static int make_folders(const char *path) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    if (!part[0])
        return ENOENT;
    for (char *at = part + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0777) && errno != EEXIST)
            return errno;
        *at = '/';
    }
    return mkdir(part, 0777) && errno != EEXIST ? errno : 0;
}

static int lock(struct hm_folder *folder, struct hm_error *error) {
    char path[PATH_MAX];
    folder->lock = open(hm_folder_file(folder, ".lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (folder->lock < 0)
        return hm_fail(error, errno, "%s: not writable: %s", folder->path, strerror(errno));
    if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int bad = errno;
    close(folder->lock);
    return hm_fail(error, bad, "%s: another run is writing there", folder->path);
}

/* results/latest; a link that can not be made costs only the short name. */
static void link_latest(const char *run) {
    char fresh[NAME_MAX];
    snprintf(fresh, sizeof fresh, "results/.latest-%s", run);
    if (symlink(run, fresh) || rename(fresh, "results/latest"))
        unlink(fresh);
}

int hm_folder_create(struct hm_folder *out, const char *path, const char *run,
                     struct hm_error *error) {
    struct hm_folder folder = {.lock = -1};
    if (path)
        snprintf(folder.path, sizeof folder.path, "%s", path);
    else
        snprintf(folder.path, sizeof folder.path, "results/%s", run);
    int bad = make_folders(folder.path);
    if (bad)
        return hm_fail(error, bad, "can not make the folder %s: %s", folder.path, strerror(bad));
    struct stat st;
    if (stat(folder.path, &st) || !S_ISDIR(st.st_mode))
        return hm_fail(error, ENOTDIR, "%s exists and is not a folder", folder.path);
    if (!is_empty(folder.path))
        return hm_fail(error, EEXIST,
                       "%s exists and is not empty; choose another folder, or "
                       "continue that run with --resume",
                       folder.path);
    bad = lock(&folder, error);
    if (bad)
        return bad;
    if (!path)
        link_latest(run);
    *out = folder;
    return 0;
}

int hm_folder_reopen(struct hm_folder *out, const char *path, struct hm_error *error) {
    struct hm_folder folder = {.lock = -1};
    char file[PATH_MAX];
    snprintf(folder.path, sizeof folder.path, "%s", path);
    if (access(hm_folder_file(&folder, "run.json", file), R_OK))
        return hm_fail(error, ENOENT, "%s is not the folder of a run: it has no run.json", path);
    int bad = lock(&folder, error);
    if (!bad)
        *out = folder;
    return bad;
}

void hm_folder_close(struct hm_folder *folder) {
    char path[PATH_MAX];
    unlink(hm_folder_file(folder, ".lock", path));
    close(folder->lock);
}

static int write_all(int fd, const char *bytes, size_t size) {
    while (size) {
        ssize_t wrote = write(fd, bytes, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return errno;
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return fsync(fd) ? errno : 0;
}

int hm_file_replace(const char *path, const char *bytes, size_t size, struct hm_error *error) {
    char fresh[PATH_MAX];
    snprintf(fresh, sizeof fresh, "%.*s.new", PATH_MAX - 5, path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int bad = fd < 0 ? errno : write_all(fd, bytes, size);
    if (fd >= 0 && close(fd) && !bad)
        bad = errno;
    if (!bad && rename(fresh, path))
        bad = errno;
    if (!bad)
        return 0;
    unlink(fresh);
    return hm_fail(error, bad, "can not write %s: %s", path, strerror(bad));
}
