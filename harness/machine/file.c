/* Small text files of the kernel. */
#include "harness/machine/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A read of /proc may give less than it could: only 0 is the end. */
static int read_all(int fd, char *text, size_t size) {
    size_t used = 0;
    while (used < size - 1) {
        ssize_t got = read(fd, text + used, size - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    while (used && text[used - 1] == '\n')
        used--;
    text[used] = '\0';
    return 0;
}

int hm_file_read(const char *path, char *text, size_t size) {
    text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int bad = read_all(fd, text, size);
    if (bad)
        text[0] = '\0';
    close(fd);
    return bad;
}

const char *hm_file_line(const char *text, const char *key) {
    size_t length = strlen(key);
    while (text) {
        if (strncmp(text, key, length) == 0)
            return text + length + strspn(text + length, " \t:=");
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return NULL;
}

void hm_file_copy_line(const char *from, char *line, size_t size) {
    size_t length = strcspn(from, "\n");
    length = length < size ? length : size - 1;
    memcpy(line, from, length);
    line[length] = '\0';
}

double hm_file_kib(const char *path, const char *key) {
    char text[8192];
    char *end;
    hm_file_read(path, text, sizeof text);
    const char *line = hm_file_line(text, key);
    if (!line)
        return NAN;
    unsigned long long kib = strtoull(line, &end, 10);
    return end == line ? NAN : (double)kib * 1024;
}

bool hm_file_number(const char *path, long long *out) {
    char text[64];
    char *end;
    if (hm_file_read(path, text, sizeof text))
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || errno)
        return false;
    *out = number;
    return true;
}
