/* gbench.json. */
#include "harness/results/gbench_file.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int hm_gbench_folder(const struct hm_folder *folder, struct hm_error *error) {
    char path[PATH_MAX];
    if (mkdir(hm_folder_file(folder, "gbench", path), 0777) && errno != EEXIST)
        return hm_fail(error, errno, "can not make the folder %s: %s", path, strerror(errno));
    return 0;
}

static int is_part(const struct dirent *entry) {
    unsigned cell;
    unsigned round;
    return sscanf(entry->d_name, "c%u-r%u.json", &cell, &round) == 2;
}

static void join_file(json_t *whole, const char *path, unsigned round) {
    json_t *part = json_load_file(path, 0, NULL);
    json_t *benchmarks = json_object_get(part, "benchmarks");
    size_t i;
    json_t *entry;
    if (!json_object_get(whole, "context") && json_object_get(part, "context"))
        json_object_set(whole, "context", json_object_get(part, "context"));
    json_array_foreach(benchmarks, i, entry) {
        json_object_set_new(entry, "repetition_index", json_integer(round));
        json_array_append(json_object_get(whole, "benchmarks"), entry);
    }
    json_decref(part);
}

static int write_whole(const struct hm_folder *folder, const json_t *whole,
                       struct hm_error *error) {
    char path[PATH_MAX];
    char *text = json_dumps(whole, JSON_INDENT(1));
    int bad = text ? hm_file_replace(hm_folder_file(folder, "gbench.json", path), text,
                                     strlen(text), error)
                   : hm_fail(error, ENOMEM, "out of memory for gbench.json");
    free(text);
    return bad;
}

/* A resumed run has a gbench.json already: its entries stay. */
static json_t *begin_whole(const struct hm_folder *folder) {
    char path[PATH_MAX];
    json_t *whole = json_load_file(hm_folder_file(folder, "gbench.json", path), 0, NULL);
    if (json_is_array(json_object_get(whole, "benchmarks")))
        return whole;
    json_decref(whole);
    return json_pack("{s:[]}", "benchmarks");
}

int hm_gbench_join(const struct hm_folder *folder, struct hm_error *error) {
    char dir[PATH_MAX];
    char path[PATH_MAX];
    struct dirent **entries = NULL;
    int count = scandir(hm_folder_file(folder, "gbench", dir), &entries, is_part, versionsort);
    json_t *whole = begin_whole(folder);
    for (int i = 0; i < count; i++) {
        unsigned cell;
        unsigned round;
        if (sscanf(entries[i]->d_name, "c%u-r%u.json", &cell, &round) == 2 &&
            snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name) < (int)sizeof path)
            join_file(whole, path, round);
    }
    int bad = write_whole(folder, whole, error);
    for (int i = 0; i < count; i++) {
        if (!bad &&
            snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name) < (int)sizeof path)
            unlink(path);
        free(entries[i]);
    }
    free(entries);
    json_decref(whole);
    rmdir(dir);
    return bad;
}
