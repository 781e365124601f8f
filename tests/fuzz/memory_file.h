/* A file in memory that a fuzz target can give to what opens files by their path. */
#ifndef HM_TESTS_FUZZ_MEMORY_FILE_H
#define HM_TESTS_FUZZ_MEMORY_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/** What a fuzz target finds wrong ends its process, which is how the engines see it. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct memory_file {
    int fd;
    char path[32]; /* "" before the first use */
};

/* The engine keeps the process for many inputs: the file is made once. */
static inline const char *put_memory_file(struct memory_file *file, const uint8_t *bytes,
                                          size_t size) {
    if (!file->path[0]) {
        file->fd = memfd_create("fuzz", MFD_CLOEXEC);
        MUST(file->fd >= 0);
        snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
    }
    MUST(ftruncate(file->fd, 0) == 0);
    MUST(pwrite(file->fd, bytes, size, 0) == (ssize_t)size);
    return file->path;
}

#endif
