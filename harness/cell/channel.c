/* How a measured process reports. */
#include "harness/cell/channel.h"

#include "harness/cell/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static char buffer[1 << 16];
static size_t used;

void hm_tell_flush(void) {
    size_t done = 0;
    while (done < used) {
        ssize_t wrote = write(HM_CELL_FD, buffer + done, used - done);
        if (wrote < 0 && errno != EINTR)
            break;
        if (wrote > 0)
            done += (size_t)wrote;
    }
    used = 0;
}

static void tell(const char *format, va_list args) {
    char line[1024];
    int length = vsnprintf(line, sizeof line - 1, format, args);
    if (length < 0)
        return;
    size_t bytes = (size_t)length < sizeof line - 1 ? (size_t)length : sizeof line - 2;
    for (size_t i = 0; i < bytes; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[bytes++] = '\n';
    if (used + bytes > sizeof buffer)
        hm_tell_flush();
    for (size_t i = 0; i < bytes; i++)
        buffer[used++] = line[i];
}

void hm_tell(const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell(format, args);
    va_end(args);
}

void hm_tell_failure(const char *status, const char *format, ...) {
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    hm_tell("fail %s %s", status, reason);
    hm_tell_flush();
    _exit(0);
}
