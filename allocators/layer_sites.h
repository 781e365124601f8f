/* Call sites: where blocks are allocated, and what is counted there.
 *
 * Vocabulary
 *   frame   a return address; frames are listed from the innermost call outwards
 *   site    up to HM_SITE_FRAMES frames, those behind the last one 0
 *
 * Invariants: a site keeps its index until close. There are at most HM_SITES_MAX; all that come later
 * are counted in site 0, which has no frames. Not thread-safe, but for hm_frames. */
#ifndef HM_ALLOCATORS_LAYER_SITES_H
#define HM_ALLOCATORS_LAYER_SITES_H

#include <stddef.h>
#include <stdint.h>

enum {
    HM_SITE_FRAMES = 8,
    HM_SITES_MAX = 1 << 16,
    HM_SITE_TEXT = 512, /* longest text of a site, with its end */
};

struct hm_site {
    uintptr_t frames[HM_SITE_FRAMES];
    int64_t blocks; /* live */
    int64_t bytes;  /* live, as requested */
    int64_t peak_bytes;
    int64_t total_blocks; /* ever allocated */
    int64_t total_bytes;
};

struct hm_sites {
    struct hm_site *sites; /* mapped for HM_SITES_MAX; `count` are touched */
    uint32_t *index;       /* open-addressed, 0: empty */
    uint32_t count;
};

/** @param sites zeroed  @return 0 or ENOMEM */
int hm_sites_open(struct hm_sites *sites);
void hm_sites_close(struct hm_sites *sites);
/** Find or add a site. @param frames HM_SITE_FRAMES of them  @return its index */
uint32_t hm_sites_get(struct hm_sites *sites, const uintptr_t *frames);
/** Bytes that the sites take. */
size_t hm_sites_bytes(const struct hm_sites *sites);

/** Write `module+0xOFFSET(symbol+0xOFFSET)`, joined with " < " from the innermost frame outwards; the
 *  offset in the module is what addr2line takes. Not hot; asks the loader. */
void hm_site_text(const uintptr_t *frames, char *out, size_t size);

/** Learn where this thread's stack ends: without it, hm_frames finds one frame. Not hot. */
void hm_frames_enter(void);
/** The frames behind the first one, by following frame pointers for as long as they lie in this
 *  thread's stack and lead outwards. Code without frame pointers may end or mislead the walk, which
 *  never leaves the stack. */
void hm_frames_walk(uintptr_t *out, unsigned count, const uintptr_t *frame);

/** The return addresses of the function that this is inlined into. Hot.
 *  @param out HM_SITE_FRAMES, of which `count` (at least 1) are filled  */
static inline __attribute__((always_inline)) void hm_frames(uintptr_t *out, unsigned count) {
    out[0] = (uintptr_t)__builtin_return_address(0);
    for (unsigned i = 1; i < HM_SITE_FRAMES; i++)
        out[i] = 0;
    if (count > 1)
        hm_frames_walk(out + 1, count - 1, __builtin_frame_address(0));
}

#endif
