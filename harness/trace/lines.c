/* Lines of a text that nobody vouches for. */
#include "harness/trace/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hm_lines {
    const char *path;
    int fd;
    bool ended;
    uint64_t number;
    size_t begin, end; /* of what was read and not yet given out */
    char bytes[HM_LINE_MAX + 1];
};

int hm_lines_open(const char *path, struct hm_lines **out, struct hm_error *error) {
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return hm_fail(error, errno, "%s: %s", path, strerror(errno));
    struct hm_lines *lines = malloc(sizeof *lines);
    if (!lines) {
        if (!is_stdin)
            close(fd);
        return hm_fail(error, ENOMEM, "out of memory");
    }
    lines->path = is_stdin ? "stdin" : path;
    lines->fd = fd;
    lines->ended = false;
    lines->number = 0;
    lines->begin = lines->end = 0;
    *out = lines;
    return 0;
}

static int fill(struct hm_lines *l, struct hm_error *error) {
    memmove(l->bytes, l->bytes + l->begin, l->end - l->begin);
    l->end -= l->begin;
    l->begin = 0;
    if (l->end == HM_LINE_MAX)
        return hm_fail(error, EINVAL, "%s: line %" PRIu64 " is too long", l->path, l->number + 1);
    ssize_t got;
    do
        got = read(l->fd, l->bytes + l->end, HM_LINE_MAX - l->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return hm_fail(error, errno, "%s: %s", l->path, strerror(errno));
    l->ended = got == 0;
    l->end += (size_t)got;
    return 0;
}

int hm_lines_next(struct hm_lines *l, char **line, struct hm_error *error) {
    char *newline;
    size_t seen = 0;
    while (!(newline = memchr(l->bytes + l->begin + seen, '\n', l->end - l->begin - seen))) {
        seen = l->end - l->begin;
        if (!l->ended && fill(l, error))
            return -1;
        if (l->ended)
            break;
    }
    if (!newline && l->begin == l->end)
        return 0;
    char *first = l->bytes + l->begin;
    char *last = newline ? newline : l->bytes + l->end;
    *last = '\0';
    l->begin = (size_t)(last - l->bytes) + (newline ? 1 : 0);
    l->number++;
    if (strlen(first) != (size_t)(last - first))
        return hm_fail(error, -1, "%s: line %" PRIu64 " holds a zero byte", l->path, l->number);
    if (last > first && last[-1] == '\r')
        last[-1] = '\0';
    *line = first;
    return 1;
}

uint64_t hm_lines_number(const struct hm_lines *lines) {
    return lines->number;
}

void hm_lines_close(struct hm_lines *lines) {
    if (!lines)
        return;
    if (lines->fd != STDIN_FILENO)
        close(lines->fd);
    free(lines);
}
