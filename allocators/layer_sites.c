/* Call sites. */
#include "allocators/layer_sites.h"

#include "allocators/layer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    INDEX_SLOTS = 2 * HM_SITES_MAX,
};

static __thread uintptr_t stack_end;

void hm_frames_enter(void) {
    pthread_attr_t attr;
    void *low;
    size_t bytes;
    if (stack_end || pthread_getattr_np(pthread_self(), &attr))
        return;
    if (pthread_attr_getstack(&attr, &low, &bytes) == 0)
        stack_end = (uintptr_t)low + bytes;
    pthread_attr_destroy(&attr);
}

/* A frame is the caller's frame pointer and, above it, the return address. Foreign code may leave
 * anything in that register: it is followed only to aligned words further out in the same stack. */
__attribute__((no_sanitize("address"))) void hm_frames_walk(uintptr_t *out, unsigned count,
                                                            const uintptr_t *frame) {
    for (unsigned i = 0; i < count; i++) {
        uintptr_t outer = frame[0];
        if (outer <= (uintptr_t)frame || outer % sizeof outer || outer >= stack_end ||
            stack_end - outer < 2 * sizeof outer)
            return;
        frame = (const uintptr_t *)outer;
        out[i] = frame[1];
    }
}

int hm_sites_open(struct hm_sites *sites) {
    sites->sites = hm_layer_map(HM_SITES_MAX * sizeof *sites->sites);
    sites->index = hm_layer_map(INDEX_SLOTS * sizeof *sites->index);
    sites->count = 1;
    if (sites->sites && sites->index)
        return 0;
    hm_sites_close(sites);
    return ENOMEM;
}

void hm_sites_close(struct hm_sites *sites) {
    hm_layer_unmap(sites->sites, HM_SITES_MAX * sizeof *sites->sites);
    hm_layer_unmap(sites->index, INDEX_SLOTS * sizeof *sites->index);
    *sites = (struct hm_sites){.count = 0};
}

static size_t hash(const uintptr_t *frames) {
    uint64_t h = 0;
    for (unsigned i = 0; i < HM_SITE_FRAMES && frames[i]; i++)
        h = ((h >> 29 ^ h) + frames[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32) % INDEX_SLOTS;
}

uint32_t hm_sites_get(struct hm_sites *sites, const uintptr_t *frames) {
    size_t slot = hash(frames);
    for (; sites->index[slot]; slot = (slot + 1) % INDEX_SLOTS)
        if (memcmp(sites->sites[sites->index[slot]].frames, frames, sizeof sites->sites->frames) ==
            0)
            return sites->index[slot];
    if (sites->count == HM_SITES_MAX)
        return 0;
    sites->index[slot] = sites->count;
    memcpy(sites->sites[sites->count].frames, frames, sizeof sites->sites->frames);
    return sites->count++;
}

size_t hm_sites_bytes(const struct hm_sites *sites) {
    return sites->count * sizeof *sites->sites + INDEX_SLOTS * sizeof *sites->index;
}

/* A return address is one behind its call, which may be the last of its function. */
static int frame_text(uintptr_t frame, char *out, size_t size) {
    Dl_info info;
    uintptr_t call = frame - 1;
    if (!dladdr((void *)call, &info) || !info.dli_fname)
        return snprintf(out, size, "%#jx", (uintmax_t)frame);
    const char *slash = strrchr(info.dli_fname, '/');
    const char *module = slash ? slash + 1 : info.dli_fname;
    uintmax_t offset = call - (uintptr_t)info.dli_fbase;
    if (!info.dli_sname)
        return snprintf(out, size, "%s+%#jx", module, offset);
    return snprintf(out, size, "%s+%#jx(%s+%#jx)", module, offset, info.dli_sname,
                    (uintmax_t)(call - (uintptr_t)info.dli_saddr));
}

void hm_site_text(const uintptr_t *frames, char *out, size_t size) {
    size_t used = 0;
    snprintf(out, size, "%s", frames[0] ? "" : "elsewhere");
    for (unsigned i = 0; i < HM_SITE_FRAMES && frames[i] && used < size; i++) {
        char text[HM_SITE_TEXT];
        frame_text(frames[i], text, sizeof text);
        int wrote = snprintf(out + used, size - used, "%s%s", i ? " < " : "", text);
        used += wrote > 0 ? (size_t)wrote : size;
    }
}
