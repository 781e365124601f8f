/* Gives files to a fuzz target without an engine: what it found once must not come back.
 *
 * usage: NAME FOLDER|FILE.. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned files;

static void play_file(const char *path) {
    FILE *in = fopen(path, "rb");
    size_t room = 1 << 20;
    uint8_t *bytes = malloc(room);
    if (!in || !bytes) {
        perror(path);
        exit(1);
    }
    size_t size = fread(bytes, 1, room, in);
    fclose(in);
    fprintf(stderr, "%s: %zu bytes\n", path, size);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    files++;
}

static void play(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) {
        play_file(path);
        return;
    }
    for (struct dirent *e; (e = readdir(folder));) {
        char file[PATH_MAX];
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            play_file(file);
    }
    closedir(folder);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        play(argv[i]);
    return files ? 0 : 1;
}
