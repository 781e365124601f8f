/* Making a plan from the events of a trace. */
#include "traces/replay.h"

#include "traces/replay_stream.h"

#include <errno.h>
#include <string.h>

enum {
    REST_OF_COMMON = 1024, /* dead common slots that wait, so that nobody soon waits for one */
    PAGE_LOG2 = 12,        /* what valloc aligns to, where the trace does not say */
};

#define NO_WORKER   UINT32_MAX
#define SEVERAL     (UINT32_MAX - 1)
#define DEAD        UINT64_MAX
#define WORD_LIMIT  (UINT64_C(1) << 32)
#define BLOCK_LIMIT (UINT64_C(1) << 32)

struct hm_replay_builder {
    size_t bytes;
    unsigned workers;
    struct hm_vector users; /* uint32_t for each block: a worker, or SEVERAL; none for one worker */
    struct hm_vector places; /* uint32_t for each block: its slot */
    struct hm_vector rares;
    struct space common;
    bool has_begun;  /* the prologue is over */
    unsigned parts;  /* that have begun */
    uint64_t stride; /* calls in a part */
    uint64_t until;  /* calls when the next part begins */
    uint64_t calls;
    uint64_t left_out;
    uint64_t live_bytes;
    uint64_t peak_bytes;
    uint64_t longest_alignment;
    uint64_t live_at[HM_REPLAY_PARTS + 1];
    struct stream streams[];
};

unsigned hm_replay_words(unsigned code) {
    static const uint8_t words[] = {
        [HM_REPLAY_CALLOC] = 3,        [HM_REPLAY_REALLOC] = 3,        [HM_REPLAY_RARE] = 2,
        [HM_REPLAY_USABLE] = 1,        [HM_REPLAY_COMMON_MALLOC] = 3,  [HM_REPLAY_COMMON_FREE] = 2,
        [HM_REPLAY_COMMON_CALLOC] = 4, [HM_REPLAY_COMMON_REALLOC] = 4, [HM_REPLAY_COMMON_RARE] = 3,
        [HM_REPLAY_COMMON_USABLE] = 2,
    };
    if (code >= HM_REPLAY_CALLOC)
        return words[code];
    unsigned calls = 31 - (unsigned)__builtin_clz(code);
    return calls + (unsigned)__builtin_popcount(code) - 1;
}

/* ---- Slots ---- */

static struct slot *slot_at(const struct space *space, uint32_t number) {
    return (struct slot *)space->slots.items + number;
}

static bool new_slot(struct space *space, uint32_t *out, uint32_t owner) {
    *out = (uint32_t)(space->slots.used / sizeof(struct slot));
    struct slot *slot = hm_vector_add(&space->slots, sizeof *slot);
    if (slot)
        *slot = (struct slot){DEAD, 0, owner};
    return slot;
}

/* The one that died last is still in a cache. */
static bool take_own(struct space *space, uint32_t *out) {
    if (!space->unused.used)
        return new_slot(space, out, NO_WORKER);
    space->unused.used -= sizeof *out;
    memcpy(out, (char *)space->unused.items + space->unused.used, sizeof *out);
    return true;
}

/* The one that died first: its last call was made long ago. */
static bool take_common(struct space *space, uint32_t *out, uint32_t owner) {
    if (space->unused.used / sizeof *out - space->taken < REST_OF_COMMON)
        return new_slot(space, out, owner);
    *out = ((const uint32_t *)space->unused.items)[space->taken++];
    return true;
}

static bool give_slot(struct space *space, uint32_t slot) {
    uint32_t *to = hm_vector_add(&space->unused, sizeof *to);
    if (to)
        *to = slot;
    return to;
}

/* ---- Blocks ---- */

static bool is_common(const struct hm_replay_builder *b, uint64_t block) {
    const uint32_t *users = b->users.items;
    return b->workers > 1 && users[block - 1] == SEVERAL;
}

static struct space *space_of(struct hm_replay_builder *b, struct stream *stream, bool common) {
    return common ? &b->common : &stream->space;
}

/* One call that has a code of its own, with the turn in front where the slot is common. */
static bool put_call(struct hm_replay_builder *b, struct stream *stream, bool common, unsigned code,
                     uint32_t slot, uint32_t second, uint32_t third) {
    uint32_t words[HM_REPLAY_WORDS] = {slot, second, third};
    if (common) {
        uint32_t turn = slot_at(&b->common, slot)->turn++;
        memmove(words + 1, words, sizeof words - sizeof *words);
        words[0] = turn;
    }
    return put_single(stream, code, words);
}

static bool put_rare(struct hm_replay_builder *b, struct stream *stream, bool common, uint32_t slot,
                     const struct hm_replay_rare *rare) {
    uint32_t number = (uint32_t)(b->rares.used / sizeof *rare);
    struct hm_replay_rare *to = hm_vector_add(&b->rares, sizeof *to);
    if (!to)
        return false;
    *to = *rare;
    return put_call(b, stream, common, common ? HM_REPLAY_COMMON_RARE : HM_REPLAY_RARE, slot,
                    number, 0);
}

static bool put_malloc(struct hm_replay_builder *b, struct stream *stream, bool common,
                       uint32_t slot, uint64_t size) {
    if (size >= WORD_LIMIT)
        return put_rare(b, stream, common, slot,
                        &(struct hm_replay_rare){1, size, 0, HM_TRACE_MALLOC, 0});
    if (common)
        return put_call(b, stream, true, HM_REPLAY_COMMON_MALLOC, slot, (uint32_t)size, 0);
    return put_grouped(stream, true, slot, (uint32_t)size);
}

static bool put_free(struct hm_replay_builder *b, struct stream *stream, bool common,
                     uint32_t slot) {
    if (common)
        return put_call(b, stream, true, HM_REPLAY_COMMON_FREE, slot, 0, 0);
    return put_grouped(stream, false, slot, 0);
}

static unsigned alignment_of(const struct hm_trace_event *event) {
    bool is_page = event->kind == HM_TRACE_VALLOC || event->kind == HM_TRACE_PVALLOC;
    return is_page && !event->alignment_log2 ? PAGE_LOG2 : event->alignment_log2 % 64u;
}

static bool put_allocation(struct hm_replay_builder *b, struct stream *stream, bool common,
                           uint32_t slot, const struct hm_trace_event *event) {
    unsigned alignment_log2 = alignment_of(event);
    if (alignment_log2) {
        uint64_t alignment = UINT64_C(1) << alignment_log2;
        if (alignment > b->longest_alignment)
            b->longest_alignment = alignment;
        return put_rare(b, stream, common, slot,
                        &(struct hm_replay_rare){1, hm_trace_bytes(event), 0, HM_TRACE_MEMALIGN,
                                                 (uint8_t)alignment_log2});
    }
    if (event->kind != HM_TRACE_CALLOC)
        return put_malloc(b, stream, common, slot, hm_trace_bytes(event));
    if (event->count >= WORD_LIMIT || event->size >= WORD_LIMIT)
        return put_rare(b, stream, common, slot,
                        &(struct hm_replay_rare){event->count, event->size, 0, HM_TRACE_CALLOC, 0});
    return put_call(b, stream, common, common ? HM_REPLAY_COMMON_CALLOC : HM_REPLAY_CALLOC, slot,
                    (uint32_t)event->count, (uint32_t)event->size);
}

static void grow_live(struct hm_replay_builder *b, uint64_t bytes) {
    b->live_bytes += bytes;
    if (b->live_bytes > b->peak_bytes)
        b->peak_bytes = b->live_bytes;
}

static bool add_allocation(struct hm_replay_builder *b, struct stream *stream,
                           const struct hm_trace_event *event) {
    bool common = is_common(b, event->block);
    struct space *space = space_of(b, stream, common);
    uint32_t slot;
    uint32_t *place = hm_vector_add(&b->places, sizeof *place);
    if (!place || !(common ? take_common(space, &slot, (uint32_t)(stream - b->streams))
                           : take_own(space, &slot)))
        return false;
    *place = slot;
    slot_at(space, slot)->bytes = hm_trace_bytes(event);
    grow_live(b, hm_trace_bytes(event));
    return put_allocation(b, stream, common, slot, event);
}

/* A realloc to nothing frees, and some allocators then give NULL: it is replayed as the two calls that it
 * stands for. */
static bool put_realloc(struct hm_replay_builder *b, struct stream *stream, bool common,
                        uint32_t slot, uint64_t bytes, uint64_t before) {
    if (!bytes)
        return put_free(b, stream, common, slot) && put_malloc(b, stream, common, slot, 0);
    if (bytes >= WORD_LIMIT || before >= WORD_LIMIT)
        return put_rare(b, stream, common, slot,
                        &(struct hm_replay_rare){1, bytes, before, HM_TRACE_REALLOC, 0});
    return put_call(b, stream, common, common ? HM_REPLAY_COMMON_REALLOC : HM_REPLAY_REALLOC, slot,
                    (uint32_t)bytes, (uint32_t)before);
}

static bool add_realloc(struct hm_replay_builder *b, struct stream *stream, bool common,
                        uint32_t number, const struct hm_trace_event *event) {
    struct slot *slot = slot_at(space_of(b, stream, common), number);
    uint64_t before = slot->bytes;
    slot->bytes = hm_trace_bytes(event);
    b->live_bytes -= before;
    grow_live(b, slot->bytes);
    return put_realloc(b, stream, common, number, slot->bytes, before);
}

static bool add_free(struct hm_replay_builder *b, struct stream *stream, bool common,
                     uint32_t slot) {
    struct space *space = space_of(b, stream, common);
    b->live_bytes -= slot_at(space, slot)->bytes;
    slot_at(space, slot)->bytes = DEAD;
    return give_slot(space, slot) && put_free(b, stream, common, slot);
}

static bool add_use(struct hm_replay_builder *b, struct stream *stream,
                    const struct hm_trace_event *event) {
    bool common = is_common(b, event->block);
    uint32_t slot = ((const uint32_t *)b->places.items)[event->block - 1];
    if (hm_trace_is_realloc(event->kind))
        return add_realloc(b, stream, common, slot, event);
    if (event->kind == HM_TRACE_FREE)
        return add_free(b, stream, common, slot);
    return put_call(b, stream, common, common ? HM_REPLAY_COMMON_USABLE : HM_REPLAY_USABLE, slot, 0,
                    0);
}

/* ---- Parts ---- */

/* The marks of every second part go, and parts are twice as long. */
static void halve_parts(struct hm_replay_builder *b) {
    for (size_t i = 0; 2 * i < b->parts; i++) {
        b->live_at[i] = b->live_at[2 * i];
        for (unsigned w = 0; w < b->workers; w++)
            b->streams[w].marks[i] = b->streams[w].marks[2 * i];
    }
    b->parts = (b->parts + 1) / 2;
    b->stride *= 2;
}

static bool mark_here(struct hm_replay_builder *b, unsigned part) {
    b->live_at[part] = b->live_bytes;
    for (unsigned w = 0; w < b->workers; w++) {
        struct stream *stream = &b->streams[w];
        if (!close_group(stream))
            return false;
        stream->marks[part] = (struct hm_replay_mark){stream->codes.used, word_count(stream)};
    }
    return true;
}

static bool begin_part(struct hm_replay_builder *b) {
    if (b->parts == HM_REPLAY_PARTS)
        halve_parts(b);
    if (!mark_here(b, b->parts))
        return false;
    b->parts++;
    b->until = b->calls + b->stride;
    return true;
}

/* After the prologue. Its hash is nobody's: it is not replayed with the rest. */
static bool begin(struct hm_replay_builder *b) {
    b->has_begun = true;
    for (unsigned w = 0; w < b->workers; w++) {
        if (!close_group(&b->streams[w]))
            return false;
        b->streams[w].hash = 0;
    }
    return begin_part(b);
}

/* ---- The interface ---- */

static int reserve(struct hm_replay_builder **out, unsigned workers) {
    size_t bytes = sizeof **out + workers * sizeof(struct stream);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return ENOMEM;
    *out = memory;
    (*out)->bytes = bytes;
    return 0;
}

int hm_replay_begin(unsigned workers, struct hm_replay_builder **out) {
    struct hm_replay_builder *b = NULL;
    int bad = reserve(&b, workers);
    if (bad)
        return bad;
    b->workers = workers;
    b->stride = 1;
    for (unsigned i = 0; i < workers; i++)
        b->streams[i].group = 1;
    *out = b;
    return 0;
}

static void free_space(struct space *space) {
    hm_vector_free(&space->slots);
    hm_vector_free(&space->unused);
}

void hm_replay_abandon(struct hm_replay_builder *b) {
    hm_vector_free(&b->users);
    hm_vector_free(&b->places);
    hm_vector_free(&b->rares);
    free_space(&b->common);
    for (unsigned i = 0; i < b->workers; i++) {
        hm_vector_free(&b->streams[i].codes);
        hm_vector_free(&b->streams[i].words);
        hm_vector_free(&b->streams[i].left);
        free_space(&b->streams[i].space);
    }
    munmap(b, b->bytes);
}

int hm_replay_survey(struct hm_replay_builder *b, const struct hm_trace_event *event) {
    if (b->workers == 1 || !hm_replay_takes(event))
        return 0;
    uint32_t worker = event->thread % b->workers;
    if (hm_trace_is_allocation(event->kind)) {
        uint32_t *user = hm_vector_add(&b->users, sizeof *user);
        if (!user)
            return ENOMEM;
        *user = worker;
        return 0;
    }
    uint32_t *user = (uint32_t *)b->users.items + (event->block - 1);
    *user = *user == worker ? worker : SEVERAL;
    return 0;
}

int hm_replay_add(struct hm_replay_builder *b, const struct hm_trace_event *event) {
    if (!hm_replay_takes(event)) {
        b->left_out += event->kind < HM_TRACE_THREAD_BEGIN;
        return 0;
    }
    bool inherited = event->kind == HM_TRACE_INHERITED;
    struct stream *stream = &b->streams[event->thread % b->workers];
    if (hm_trace_is_allocation(event->kind) && event->block >= BLOCK_LIMIT)
        return EFBIG;
    if (!inherited && !b->has_begun && !begin(b))
        return ENOMEM;
    if (b->has_begun && b->calls == b->until && !begin_part(b))
        return ENOMEM;
    b->calls += b->has_begun;
    stream->calls += b->has_begun;
    bool done = hm_trace_is_allocation(event->kind) ? add_allocation(b, stream, event)
                                                    : add_use(b, stream, event);
    return done ? 0 : ENOMEM;
}

/* ---- Putting it together ---- */

static bool note_left(struct stream *stream, const struct space *space, bool common,
                      uint32_t slot) {
    uint64_t bytes = slot_at(space, slot)->bytes;
    if (bytes == DEAD)
        return true;
    struct hm_replay_left *left = hm_vector_add(&stream->left, sizeof *left);
    if (left)
        *left = (struct hm_replay_left){slot, common, bytes};
    return left;
}

static uint32_t slot_count(const struct space *space) {
    return (uint32_t)(space->slots.used / sizeof(struct slot));
}

static bool note_all_left(struct hm_replay_builder *b) {
    for (uint32_t i = 0; i < slot_count(&b->common); i++)
        if (!note_left(&b->streams[slot_at(&b->common, i)->owner], &b->common, true, i))
            return false;
    for (unsigned w = 0; w < b->workers; w++)
        for (uint32_t i = 0; i < slot_count(&b->streams[w].space); i++)
            if (!note_left(&b->streams[w], &b->streams[w].space, false, i))
                return false;
    return true;
}

static size_t up_to_line(size_t bytes) {
    return (bytes + 63) & ~(size_t)63;
}

static size_t plan_bytes(const struct hm_replay_builder *b) {
    size_t bytes =
        up_to_line(sizeof(struct hm_replay_plan) + b->workers * sizeof(struct hm_replay_stream));
    bytes += up_to_line(b->rares.used) + up_to_line(slot_count(&b->common) * sizeof(uint32_t));
    for (unsigned w = 0; w < b->workers; w++)
        bytes += up_to_line(b->streams[w].codes.used) + up_to_line(b->streams[w].words.used) +
                 up_to_line(b->streams[w].left.used);
    return bytes;
}

/* @return where the copy is; `to` moves behind it */
static const void *move(char **to, const struct hm_vector *from) {
    void *copy = *to;
    if (from->used)
        memcpy(copy, from->items, from->used);
    *to += up_to_line(from->used);
    return copy;
}

static void finish_stream(struct hm_replay_stream *out, const struct stream *from, char **to) {
    *out = (struct hm_replay_stream){.code_count = from->codes.used,
                                     .word_count = word_count(from),
                                     .left_count = from->left.used / sizeof(struct hm_replay_left),
                                     .calls = from->calls,
                                     .hash = from->hash,
                                     .slot_count = slot_count(&from->space)};
    memcpy(out->marks, from->marks, sizeof out->marks);
    out->codes = move(to, &from->codes);
    out->words = move(to, &from->words);
    out->left = move(to, &from->left);
}

static void finish(struct hm_replay_plan *plan, const struct hm_replay_builder *b, char *to) {
    plan->workers = b->workers;
    plan->parts = b->parts;
    plan->calls = b->calls;
    plan->left_out = b->left_out;
    plan->peak_bytes = b->peak_bytes;
    plan->longest_alignment = b->longest_alignment;
    memcpy(plan->live_bytes, b->live_at, sizeof plan->live_bytes);
    plan->rare_count = b->rares.used / sizeof(struct hm_replay_rare);
    plan->rares = move(&to, &b->rares);
    plan->common_count = slot_count(&b->common);
    uint32_t *owners = (uint32_t *)(void *)to;
    plan->owners = owners;
    for (uint32_t i = 0; i < plan->common_count; i++)
        owners[i] = slot_at(&b->common, i)->owner;
    to += up_to_line(plan->common_count * sizeof *owners);
    for (unsigned w = 0; w < b->workers; w++)
        finish_stream(&plan->streams[w], &b->streams[w], &to);
}

int hm_replay_end(struct hm_replay_builder *b, const struct hm_replay_memory *memory,
                  struct hm_replay_plan **out) {
    struct hm_replay_plan *plan = NULL;
    if ((b->has_begun || begin(b)) && mark_here(b, b->parts) && note_all_left(b))
        plan = memory->take(plan_bytes(b));
    if (plan) {
        plan->bytes = plan_bytes(b);
        finish(plan, b,
               (char *)plan + up_to_line(sizeof *plan + b->workers * sizeof *plan->streams));
        *out = plan;
    }
    hm_replay_abandon(b);
    return plan ? 0 : ENOMEM;
}
