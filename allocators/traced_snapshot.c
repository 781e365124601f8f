/* Snapshots of the traced layer: differences, order, and the file. */
#include "allocators/traced.h"

#include "allocators/layer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void hm_traced_snapshot_free(struct hm_traced_snapshot *snapshot) {
    hm_layer_unmap(snapshot->sites, snapshot->room * sizeof *snapshot->sites);
    *snapshot = (struct hm_traced_snapshot){.count = 0};
}

/* Sites keep their indices and are only added: the older snapshot's are the first of the later one's. */
int hm_traced_difference(const struct hm_traced_snapshot *old,
                         const struct hm_traced_snapshot *later, struct hm_traced_snapshot *out) {
    struct hm_traced_snapshot d = *later;
    d.sites = hm_layer_map(d.room * sizeof *d.sites);
    if (!d.sites)
        return ENOMEM;
    d.blocks -= old->blocks;
    d.bytes -= old->bytes;
    for (size_t i = 0; i < later->count; i++) {
        d.sites[i] = later->sites[i];
        if (i >= old->count)
            continue;
        d.sites[i].blocks -= old->sites[i].blocks;
        d.sites[i].bytes -= old->sites[i].bytes;
        d.sites[i].total_blocks -= old->sites[i].total_blocks;
        d.sites[i].total_bytes -= old->sites[i].total_bytes;
    }
    *out = d;
    return 0;
}

static int descending(int64_t a, int64_t b) {
    return (a < b) - (a > b);
}

static int compare(const void *left, const void *right) {
    const struct hm_site *a = left;
    const struct hm_site *b = right;
    int order = descending(llabs(a->bytes), llabs(b->bytes));
    if (!order)
        order = descending(a->peak_bytes, b->peak_bytes);
    return order ? order : descending(a->total_bytes, b->total_bytes);
}

/* Site 0 is an empty one for most programs; what nothing was counted at is left out. */
void hm_traced_top(struct hm_traced_snapshot *snapshot, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < snapshot->count; i++)
        if (snapshot->sites[i].total_blocks || snapshot->sites[i].blocks)
            snapshot->sites[kept++] = snapshot->sites[i];
    qsort(snapshot->sites, kept, sizeof *snapshot->sites, compare);
    snapshot->count = count && count < kept ? count : kept;
}

int hm_traced_write(const struct hm_traced_snapshot *snapshot, const char *path) {
    FILE *out = fopen(path, "we");
    if (!out)
        return errno;
    fputs("site,blocks,bytes,peak_bytes,total_blocks,total_bytes\n", out);
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct hm_site *s = &snapshot->sites[i];
        char text[HM_SITE_TEXT];
        hm_site_text(s->frames, text, sizeof text);
        for (char *at = text; *at; at++)
            if (*at == '"')
                *at = '\'';
        fprintf(out, "\"%s\",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n", text,
                s->blocks, s->bytes, s->peak_bytes, s->total_blocks, s->total_bytes);
    }
    int bad = ferror(out) ? EIO : 0;
    return fclose(out) && !bad ? errno : bad;
}
