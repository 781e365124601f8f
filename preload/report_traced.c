/* At exit, the traced layer's sites go to the file HEAPMARK_TRACED with the process's number behind
 * it, so that a program and those that it starts do not write over one another. */
#include "allocators/traced.h"
#include "preload/report.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void hm_preload_report(struct hm_heap *heap) {
    char path[PATH_MAX];
    struct hm_traced_snapshot snapshot;
    const char *prefix = secure_getenv("HEAPMARK_TRACED");
    if (!prefix || !*prefix)
        return;
    int length = snprintf(path, sizeof path, "%s.%d", prefix, (int)getpid());
    if (length < 0 || (size_t)length >= sizeof path || hm_traced_snapshot(heap, &snapshot))
        return;
    hm_traced_top(&snapshot, 0);
    int bad = hm_traced_write(&snapshot, path);
    if (bad)
        fprintf(stderr, "traced: %s: %s\n", path, strerror(bad));
    hm_traced_snapshot_free(&snapshot);
}
