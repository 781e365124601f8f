/* What a recorded heap comes to. */
#include "harness/trace/summary.h"

#include "traces/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct birth {
    uint64_t operations; /* before it */
    uint64_t bytes;      /* with its own */
    uint64_t time_ns;
    uint64_t size;
    bool is_inherited;
};

/* The births of what is live: `live` leads from a block's number to its place among them. */
struct births {
    struct hm_live live;
    struct birth *all;
    uint32_t *empty; /* places */
    size_t room, empty_count;
};

/* What is summed up, and where the reading is. */
struct taking {
    struct hm_summary *summary;
    struct births births;
    uint64_t operations, bytes;
    size_t thread_room;
};

/* ---- Births ---- */

static int grow(struct births *b) {
    size_t room = b->room ? 2 * b->room : 1024;
    struct birth *all = reallocarray(b->all, room, sizeof *all);
    if (all)
        b->all = all;
    uint32_t *empty = all ? reallocarray(b->empty, room, sizeof *empty) : NULL;
    if (!empty)
        return ENOMEM;
    b->empty = empty;
    for (size_t i = room; i > b->room; i--)
        empty[b->empty_count++] = (uint32_t)(i - 1);
    b->room = room;
    return 0;
}

static int be_born(struct births *b, uint64_t block, const struct birth *birth) {
    int error = b->all && b->empty_count ? 0 : grow(b);
    if (!error && !hm_live_has_room(&b->live))
        error = hm_live_grow(&b->live);
    if (error)
        return error;
    uint32_t place = b->empty[--b->empty_count];
    b->all[place] = *birth;
    hm_live_add(&b->live, block, place, 0);
    return 0;
}

/* @return its birth, until another one; NULL: of no block of the trace */
static const struct birth *die(struct births *b, uint64_t block) {
    struct hm_live_block *place = hm_live_find(&b->live, block);
    if (!place)
        return NULL;
    uint32_t at = (uint32_t)place->bytes;
    hm_live_remove(&b->live, place);
    b->empty[b->empty_count++] = at;
    return &b->all[at];
}

/* ---- Events ---- */

static void count_life(struct taking *t, const struct hm_trace_event *e,
                       const struct birth *birth) {
    struct hm_summary *s = t->summary;
    hm_census_count(&s->life_operations, t->operations - birth->operations, birth->size);
    hm_census_count(&s->life_bytes, t->bytes - birth->bytes, birth->size);
    hm_census_count(&s->life_ns, e->time_ns - birth->time_ns, birth->size);
}

static int count_birth(struct taking *t, const struct hm_trace_event *e) {
    const struct birth birth = {.operations = t->operations - 1,
                                .bytes = t->bytes + hm_trace_bytes(e),
                                .time_ns = e->time_ns,
                                .size = hm_trace_bytes(e),
                                .is_inherited = e->kind == HM_TRACE_INHERITED};
    if (!birth.is_inherited) {
        hm_census_count(&t->summary->sizes, birth.size, birth.size);
        t->bytes += birth.size;
        t->summary->threads[e->thread].allocations++;
        t->summary->threads[e->thread].bytes += birth.size;
    }
    return e->block == HM_TRACE_FOREIGN ? 0 : be_born(&t->births, e->block, &birth);
}

/* The thread's place; new ones appear one by one. */
static int see_thread(struct taking *t, uint32_t thread) {
    if (thread < t->thread_room)
        return 0;
    size_t room = t->thread_room ? 2 * t->thread_room : 16;
    struct hm_summary_thread *wider =
        reallocarray(t->summary->threads, room, sizeof *t->summary->threads);
    if (!wider)
        return ENOMEM;
    memset(wider + t->thread_room, 0, (room - t->thread_room) * sizeof *wider);
    t->summary->threads = wider;
    t->thread_room = room;
    return 0;
}

static int take_event(struct taking *t, const struct hm_trace_event *e) {
    struct hm_summary *s = t->summary;
    if (see_thread(t, e->thread))
        return ENOMEM;
    bool is_call = e->kind < HM_TRACE_THREAD_BEGIN && e->kind != HM_TRACE_INHERITED;
    bool dies = !e->failed && e->block != HM_TRACE_NULL &&
                (e->kind == HM_TRACE_FREE || hm_trace_is_realloc(e->kind));
    bool is_born = !e->failed && (hm_trace_is_allocation(e->kind) || hm_trace_is_realloc(e->kind));
    s->kinds[e->kind]++;
    const struct birth *birth = dies ? die(&t->births, e->block) : NULL;
    if (birth && !birth->is_inherited)
        count_life(t, e, birth);
    t->operations += is_call;
    s->threads[e->thread].operations += is_call;
    s->threads[e->thread].frees += dies;
    return is_born ? count_birth(t, e) : 0;
}

/* ---- The whole ---- */

static void close_births(struct taking *t) {
    struct births *b = &t->births;
    for (size_t i = 0; b->live.places && i <= b->live.mask; i++) {
        if (!b->live.places[i].block)
            continue;
        const struct birth *birth = &b->all[b->live.places[i].bytes];
        t->summary->end_blocks++;
        t->summary->end_bytes += birth->size;
        t->summary->end_inherited += birth->is_inherited;
    }
    hm_live_close(&b->live);
    free(b->all);
    free(b->empty);
}

int hm_summary_take(struct hm_summary *summary, struct hm_trace_reader *reader, const char *path,
                    struct hm_error *error) {
    struct taking t = {.summary = summary};
    struct hm_trace_event event;
    struct stat st;
    int more = 0;
    *summary = (struct hm_summary){.file_bytes = stat(path, &st) ? 0 : (uint64_t)st.st_size};
    int bad = hm_live_open(&t.births.live);
    while (!bad && (more = hm_trace_next(reader, &event)) == 1)
        bad = take_event(&t, &event);
    close_births(&t);
    summary->totals = *hm_trace_totals(reader);
    if (!bad && more == 0)
        return 0;
    hm_summary_free(summary);
    return more < 0 ? hm_fail(error, EINVAL, "%s", hm_trace_why(reader))
                    : hm_fail(error, bad, "%s: %s", path, strerror(bad));
}

void hm_summary_free(struct hm_summary *summary) {
    free(summary->threads);
    summary->threads = NULL;
}
