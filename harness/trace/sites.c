/* Sums by site. The live blocks are in a table of open addressing; memory is in proportion to what is
 * live at a time and not to the trace.
 *
 * What was live at the peak is known without a second pass: each new peak begins an epoch, and a site
 * that is about to change first notes what it held if it has not done so in this epoch. So after the last
 * event each site either noted what it held at the last peak, or holds it still. */
#include "harness/trace/sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct live {
    uint64_t block; /* 0: an empty slot */
    uint64_t bytes;
    uint64_t born_operation, born_ns;
    uint64_t born_call; /* of its thread */
    uint32_t thread;
    uint32_t site;
};

struct hm_sites {
    struct live *live;
    size_t live_count, live_slots; /* slots: a power of two */
    struct hm_site *sites;
    size_t count, room;
    uint64_t *calls; /* of each thread, so far */
    size_t threads;
    struct hm_site all;
    uint64_t epoch;
    uint64_t operations;
    uint64_t now_ns;
    unsigned temporary_calls;
};

enum {
    LIVE_SLOTS_FIRST = 1024,
};

/* ---- The live blocks ---- */

/* Blocks' numbers are dense: a multiplication spreads them, and its upper bits are the best. */
static size_t home_of(const struct hm_sites *s, uint64_t block) {
    return (size_t)(block * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (s->live_slots - 1);
}

static struct live *find_live(const struct hm_sites *s, uint64_t block) {
    size_t at = home_of(s, block);
    while (s->live[at].block && s->live[at].block != block)
        at = (at + 1) & (s->live_slots - 1);
    return &s->live[at];
}

static int grow_live(struct hm_sites *s) {
    struct live *old = s->live;
    size_t slots = s->live_slots;
    struct live *fresh = calloc(2 * slots, sizeof *fresh);
    if (!fresh)
        return ENOMEM;
    s->live = fresh;
    s->live_slots = 2 * slots;
    for (size_t i = 0; i < slots; i++)
        if (old[i].block)
            *find_live(s, old[i].block) = old[i];
    free(old);
    return 0;
}

/* Empties a slot, and moves up what would not be found past a gap. */
static void remove_live(struct hm_sites *s, struct live *gone) {
    size_t mask = s->live_slots - 1;
    size_t gap = (size_t)(gone - s->live);
    for (size_t at = (gap + 1) & mask; s->live[at].block; at = (at + 1) & mask) {
        size_t home = home_of(s, s->live[at].block);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            s->live[gap] = s->live[at];
            gap = at;
        }
    }
    s->live[gap].block = 0;
    s->live_count--;
}

/* ---- Growing ---- */

static int need_site(struct hm_sites *s, size_t site) {
    if (site >= s->room) {
        size_t room = site + site / 2 + 16;
        struct hm_site *sites = reallocarray(s->sites, room, sizeof *sites);
        if (!sites)
            return ENOMEM;
        memset(sites + s->room, 0, (room - s->room) * sizeof *sites);
        s->sites = sites;
        s->room = room;
    }
    if (site >= s->count)
        s->count = site + 1;
    return 0;
}

static int need_thread(struct hm_sites *s, size_t thread) {
    if (thread < s->threads)
        return 0;
    size_t threads = thread + thread / 2 + 16;
    uint64_t *calls = reallocarray(s->calls, threads, sizeof *calls);
    if (!calls)
        return ENOMEM;
    memset(calls + s->threads, 0, (threads - s->threads) * sizeof *calls);
    s->calls = calls;
    s->threads = threads;
    return 0;
}

/* All memory that an event may need is taken before anything is counted. */
static int make_room(struct hm_sites *s, const struct hm_trace_event *event, uint32_t site) {
    int bad = need_site(s, site);
    if (!bad)
        bad = need_thread(s, event->thread);
    if (!bad && 2 * (s->live_count + 1) > s->live_slots)
        bad = grow_live(s);
    return bad;
}

/* ---- Events ---- */

static void note_peak(const struct hm_sites *s, struct hm_site *site) {
    if (site->epoch == s->epoch)
        return;
    site->at_peak_blocks = site->live_blocks;
    site->at_peak_bytes = site->live_bytes;
    site->epoch = s->epoch;
}

static void count_life(const struct hm_sites *s, struct hm_site *site, const struct live *block) {
    site->life_operations += (double)(s->operations - block->born_operation);
    site->life_ns += (double)(s->now_ns - block->born_ns);
}

static void count_allocation(struct hm_site *site, uint64_t bytes) {
    site->blocks++;
    site->bytes += bytes;
}

static void count_birth(struct hm_site *site, uint64_t bytes) {
    site->born++;
    site->live_blocks++;
    site->live_bytes += bytes;
    if (site->live_bytes > site->peak_bytes)
        site->peak_bytes = site->live_bytes;
}

static void count_death(const struct hm_sites *s, struct hm_site *site, const struct live *block,
                        bool temporary) {
    site->live_blocks--;
    site->live_bytes -= block->bytes;
    site->temporary_blocks += temporary;
    site->temporary_bytes += temporary ? block->bytes : 0;
    count_life(s, site, block);
}

/* The whole heap's own peak is looked at once, after the event. */
static void birth(struct hm_sites *s, const struct hm_trace_event *event, uint32_t site) {
    struct live *slot = find_live(s, event->block);
    *slot = (struct live){.block = event->block,
                          .bytes = hm_trace_bytes(event),
                          .born_operation = s->operations,
                          .born_ns = s->now_ns,
                          .born_call = s->calls[event->thread],
                          .thread = event->thread,
                          .site = site};
    s->live_count++;
    note_peak(s, &s->sites[site]);
    count_birth(&s->sites[site], slot->bytes);
    s->all.born++;
    s->all.live_blocks++;
    s->all.live_bytes += slot->bytes;
}

static void death(struct hm_sites *s, const struct hm_trace_event *event) {
    struct live *slot = find_live(s, event->block);
    if (!slot->block)
        return;
    struct hm_site *site = &s->sites[slot->site];
    bool temporary = slot->thread == event->thread &&
                     s->calls[event->thread] - slot->born_call <= s->temporary_calls;
    note_peak(s, site);
    count_death(s, site, slot, temporary);
    count_death(s, &s->all, slot, temporary);
    remove_live(s, slot);
}

static void look_for_peak(struct hm_sites *s) {
    if (s->all.live_bytes <= s->all.peak_bytes)
        return;
    s->all.peak_bytes = s->all.live_bytes;
    s->all.at_peak_bytes = s->all.live_bytes;
    s->all.at_peak_blocks = s->all.live_blocks;
    s->epoch++;
}

static void take_call(struct hm_sites *s, const struct hm_trace_event *event, uint32_t site) {
    bool makes = event->kind != HM_TRACE_FREE;
    s->calls[event->thread] += event->kind != HM_TRACE_INHERITED;
    if (!hm_trace_is_allocation(event->kind) && event->block != HM_TRACE_FOREIGN)
        death(s, event);
    if (makes && event->kind != HM_TRACE_INHERITED) {
        count_allocation(&s->sites[site], hm_trace_bytes(event));
        count_allocation(&s->all, hm_trace_bytes(event));
    }
    if (makes && event->block != HM_TRACE_FOREIGN)
        birth(s, event, site);
    look_for_peak(s);
}

int hm_sites_add(struct hm_sites *s, const struct hm_trace_event *event, uint32_t site) {
    s->now_ns = event->time_ns;
    if (event->kind == HM_TRACE_THREAD_BEGIN || event->kind == HM_TRACE_THREAD_END)
        return 0;
    int bad = make_room(s, event, site);
    if (bad)
        return bad;
    s->operations += event->kind != HM_TRACE_INHERITED;
    if (!event->failed && event->kind != HM_TRACE_USABLE && event->block != HM_TRACE_NULL)
        take_call(s, event, site);
    return 0;
}

void hm_sites_end(struct hm_sites *s) {
    for (size_t i = 0; i < s->live_slots; i++) {
        if (!s->live[i].block)
            continue;
        count_life(s, &s->sites[s->live[i].site], &s->live[i]);
        count_life(s, &s->all, &s->live[i]);
    }
    for (size_t i = 0; i < s->count; i++)
        note_peak(s, &s->sites[i]);
}

/* ---- The whole ---- */

struct hm_sites *hm_sites_new(unsigned temporary_calls) {
    struct hm_sites *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->temporary_calls = temporary_calls;
    s->live_slots = LIVE_SLOTS_FIRST;
    s->live = calloc(s->live_slots, sizeof *s->live);
    if (s->live)
        return s;
    free(s);
    return NULL;
}

size_t hm_sites_count(const struct hm_sites *s) {
    return s->count;
}

const struct hm_site *hm_sites_at(const struct hm_sites *s, size_t site) {
    return &s->sites[site];
}

const struct hm_site *hm_sites_all(const struct hm_sites *s) {
    return &s->all;
}

void hm_sites_free(struct hm_sites *s) {
    if (!s)
        return;
    free(s->live);
    free(s->sites);
    free(s->calls);
    free(s);
}
