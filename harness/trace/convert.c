/* From the spool of a recorded process to its trace: addresses become numbers of blocks.
 *
 * Vocabulary
 *   travelling   of a block: a reallocation took it from its old address, and has not brought it to
 *                the new one
 *   past     a parent whose conversion stands where one of its children was forked, for the next child
 *
 * Invariants
 *   Calls come in the order of their tickets, so that an address is given back before it is given out
 *   again. A forked child begins with the blocks that its parent had at the fork, in their order. */
#include "harness/trace/convert.h"

#include "harness/trace/addresses.h"
#include "harness/trace/command_of.h"
#include "harness/trace/modules.h"
#include "harness/trace/spool_read.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

enum {
    WINDOW_FIRST = 64,
    WINDOW_LAST = 1 << 20,
    FORKS_DEEP = 64, /* a child of a child of .. */
    PASTS = 8,       /* children of several threads are not quite in the order of their forks */
};

struct travelling {
    uint64_t arrival; /* its ticket */
    struct hm_live_block block;
};

struct conversion {
    struct hm_spool *spool;
    const struct hm_spool_head *head;
    struct hm_addresses live;
    struct travelling *travelling;
    size_t travelling_count, travelling_room;
    uint64_t last;  /* number that was given out */
    uint64_t until; /* ticket: what comes later is left out */
    uint64_t missed;
    uint64_t time_ns;
    struct hm_spool_item next;
    bool has_next; /* it came too late for `until` */
    int (*interrupted)(void);
    struct hm_convert_pasts *pasts;
    struct hm_trace_writer *writer; /* NULL: only what is live matters */
    struct hm_addresses stacks;     /* by hash: the trace's numbers */
    struct hm_modules *modules;
    uint32_t *threads; /* by the library's number: the trace's, plus 1 */
    size_t threads_room;
    uint32_t thread_count;

    /* Of a past: */
    char name[HM_SPOOL_NAME_BYTES + 1];
    bool has_begun, is_busy;
    uint64_t turn; /* in which it was used last */
};

struct hm_convert_pasts {
    struct conversion all[PASTS];
    uint64_t turns;
};

static int put_event(struct conversion *c, const struct hm_trace_event *event) {
    return c->writer ? hm_trace_add(c->writer, event) : 0;
}

/* ---- Threads ---- */

static int begin_thread(struct conversion *c, uint32_t number) {
    const struct hm_trace_event event = {
        .kind = HM_TRACE_THREAD_BEGIN, .thread = number, .count = 1, .time_ns = c->time_ns};
    return put_event(c, &event);
}

static int grow_threads(struct conversion *c, size_t least) {
    size_t room = 2 * least + 16;
    uint32_t *threads = realloc(c->threads, room * sizeof *threads);
    if (!threads)
        return ENOMEM;
    memset(threads + c->threads_room, 0, (room - c->threads_room) * sizeof *threads);
    c->threads = threads;
    c->threads_room = room;
    return 0;
}

/* The main thread is 0, and the others have numbers as they appear. */
static int find_thread(struct conversion *c, uint32_t theirs, uint32_t *out) {
    int bad = 0;
    if (theirs >= c->threads_room && (bad = grow_threads(c, theirs)))
        return bad;
    if (!c->threads[theirs]) {
        bool is_main = theirs == hm_spool_main(c->spool);
        if (!is_main && !c->thread_count) {
            c->thread_count = 1;
            bad = begin_thread(c, 0);
        }
        uint32_t number = is_main ? 0 : c->thread_count;
        c->thread_count += !is_main || !c->thread_count;
        c->threads[theirs] = number + 1;
        if (!bad && !is_main)
            bad = begin_thread(c, number);
    }
    *out = c->threads[theirs] - 1;
    return bad;
}

/* ---- Stacks ---- */

/* A return address lies behind the call, which may be the last of its line or function. */
static uint32_t add_stack(struct conversion *c, uint64_t hash) {
    struct hm_trace_address frames[HM_SPOOL_FRAMES_MAX];
    const uint64_t *addresses;
    uint64_t snapshot;
    size_t count = hm_spool_stack(c->spool, hash, &addresses, &snapshot);
    if (!count || count > HM_SPOOL_FRAMES_MAX)
        return 0;
    for (size_t i = 0; i < count; i++)
        frames[i] = hm_modules_find(c->modules, snapshot, addresses[i] - 1);
    return hm_trace_add_stack(c->writer, frames, count);
}

/* @return 0 where it is not known */
static uint32_t find_stack(struct conversion *c, uint64_t hash) {
    const struct hm_live_block *found = hm_addresses_find(&c->stacks, hash);
    if (found)
        return (uint32_t)found->number;
    uint32_t number = add_stack(c, hash);
    const struct hm_live_block stack = {.address = hash, .number = number};
    return hm_addresses_put(&c->stacks, &stack) ? 0 : number;
}

/* ---- Calls ---- */

static uint64_t saturated(uint64_t count, uint64_t size) {
    uint64_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? UINT64_MAX : bytes;
}

static struct hm_trace_event event_of(struct conversion *c, const struct hm_spool_item *item,
                                      uint32_t thread) {
    struct hm_trace_event event = {
        .kind = item->kind,
        .alignment_log2 = item->alignment_log2,
        .failed = item->failed,
        .thread = thread,
        .count = item->count,
        .size = item->size,
        .time_ns = c->time_ns,
    };
    uint64_t bytes;
    if (__builtin_mul_overflow(event.count, event.size, &bytes)) { /* that is why it failed */
        event.count = 1;
        event.size = UINT64_MAX;
    }
    return event;
}

static int allocate(struct conversion *c, const struct hm_spool_item *item,
                    struct hm_trace_event *event) {
    if (item->failed)
        return put_event(c, event);
    c->missed += hm_addresses_find(&c->live, item->address) != NULL;
    event->block = ++c->last;
    const struct hm_live_block block = {item->address, c->last, saturated(item->count, item->size),
                                        item->alignment_log2};
    int bad = hm_addresses_put(&c->live, &block);
    return bad ? bad : put_event(c, event);
}

static uint64_t number_at(const struct conversion *c, uint64_t address) {
    const struct hm_live_block *block = hm_addresses_find(&c->live, address);
    return !address ? HM_TRACE_NULL : block ? block->number : HM_TRACE_FOREIGN;
}

static int release(struct conversion *c, const struct hm_spool_item *item,
                   struct hm_trace_event *event) {
    event->block = number_at(c, item->address);
    hm_addresses_take(&c->live, item->address);
    return put_event(c, event);
}

/* In its place, or failed. */
static int resize(struct conversion *c, const struct hm_spool_item *item,
                  struct hm_trace_event *event) {
    struct hm_live_block *block = hm_addresses_find(&c->live, item->address);
    event->block = number_at(c, item->address);
    if (block && !item->failed) {
        block->bytes = saturated(item->count, item->size);
        block->alignment_log2 = 0;
    }
    return put_event(c, event);
}

static int leave(struct conversion *c, const struct hm_spool_item *item) {
    if (c->travelling_count == c->travelling_room) {
        size_t room = 2 * c->travelling_room + 16;
        struct travelling *all = realloc(c->travelling, room * sizeof *all);
        if (!all)
            return ENOMEM;
        c->travelling = all;
        c->travelling_room = room;
    }
    c->travelling[c->travelling_count++] =
        (struct travelling){item->arrival, hm_addresses_take(&c->live, item->address)};
    return 0;
}

static int arrive(struct conversion *c, const struct hm_spool_item *item,
                  struct hm_trace_event *event) {
    size_t at = c->travelling_count;
    while (at-- > 0 && c->travelling[at].arrival != item->arrival)
        ;
    struct hm_live_block block = {0};
    if (at < c->travelling_count) {
        block = c->travelling[at].block;
        c->travelling[at] = c->travelling[--c->travelling_count];
    }
    event->block = block.address ? block.number : HM_TRACE_FOREIGN;
    if (block.address) {
        c->missed += hm_addresses_find(&c->live, item->address) != NULL;
        block = (struct hm_live_block){item->address, block.number,
                                       saturated(item->count, item->size), 0};
        int bad = hm_addresses_put(&c->live, &block);
        if (bad)
            return bad;
    }
    return put_event(c, event);
}

static int take_call(struct conversion *c, const struct hm_spool_item *item,
                     struct hm_trace_event *event) {
    if (hm_trace_is_allocation(item->kind))
        return allocate(c, item, event);
    if (item->kind == HM_TRACE_FREE)
        return release(c, item, event);
    if (hm_trace_is_realloc(item->kind))
        return resize(c, item, event);
    event->block = number_at(c, item->address);
    return put_event(c, event);
}

static int take_item(struct conversion *c, const struct hm_spool_item *item) {
    uint32_t thread;
    uint64_t started_ns = c->head->started_ns;
    if (item->phase == HM_SPOOL_LEAVES)
        return leave(c, item);
    if (item->time_ns > started_ns && item->time_ns - started_ns > c->time_ns)
        c->time_ns = item->time_ns - started_ns;
    int bad = find_thread(c, item->thread, &thread);
    if (bad)
        return bad;
    struct hm_trace_event event = event_of(c, item, thread);
    if (item->stack && c->writer && item->phase != HM_SPOOL_THREAD_IS_OVER)
        event.stack = find_stack(c, item->stack);
    switch (item->phase) {
    case HM_SPOOL_ARRIVES:
        return arrive(c, item, &event);
    case HM_SPOOL_THREAD_IS_OVER:
        event = (struct hm_trace_event){
            .kind = HM_TRACE_THREAD_END, .thread = thread, .count = 1, .time_ns = c->time_ns};
        return put_event(c, &event);
    default:
        return take_call(c, item, &event);
    }
}

/* @return 0; ERANGE: the window is too small; EINTR; or another errno */
static int take_all(struct conversion *c) {
    int is_more = 1;
    int bad = 0;
    while (!bad && (c->has_next || (is_more = hm_spool_next(c->spool, &c->next)) != 0)) {
        if (is_more < 0)
            return ERANGE;
        c->has_next = c->next.ticket > c->until;
        if (c->has_next)
            break;
        bad = c->interrupted() ? EINTR : take_item(c, &c->next);
    }
    return bad;
}

/* ---- What a forked child has from its parent ---- */

static void end_conversion(struct conversion *c) {
    hm_addresses_free(&c->live);
    free(c->travelling);
    free(c->threads);
    hm_addresses_free(&c->stacks);
    hm_modules_close(c->modules);
    hm_spool_close(c->spool);
}

static int open_conversion(struct conversion *c, const char *folder, const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int bad = hm_spool_open(path, &c->spool);
    if (!bad)
        c->head = hm_spool_head(c->spool);
    return bad;
}

static int inherit(struct conversion *c, const char *folder, unsigned depth);

/* Begins anew with another window. */
static int start(struct conversion *c, const char *folder, unsigned window, unsigned depth) {
    hm_addresses_free(&c->live);
    c->travelling_count = 0;
    c->last = c->missed = c->time_ns = 0;
    c->thread_count = 0;
    c->has_next = false;
    if (c->threads)
        memset(c->threads, 0, c->threads_room * sizeof *c->threads);
    int bad = hm_spool_rewind(c->spool, window);
    return bad ? bad : inherit(c, folder, depth);
}

/* Goes on from where it stands, or begins: anew with larger windows where it must. */
static int go_to(struct conversion *c, const char *folder, unsigned depth, uint64_t ticket) {
    c->until = ticket;
    int bad = c->has_begun ? take_all(c) : ERANGE;
    c->has_begun = true;
    for (unsigned window = WINDOW_FIRST; bad == ERANGE && window <= WINDOW_LAST; window *= 16) {
        bad = start(c, folder, window, depth);
        if (!bad)
            bad = take_all(c);
    }
    return bad;
}

static void forget(struct conversion *past) {
    end_conversion(past);
    *past = (struct conversion){.spool = NULL};
}

/* The nearest one before the ticket, or one that begins, in the place of what was used least lately.
 * @return NULL when all are in use: by children of children */
static struct conversion *find_past(struct hm_convert_pasts *pasts, const char *name,
                                    uint64_t ticket) {
    struct conversion *nearest = NULL;
    struct conversion *oldest = NULL;
    for (struct conversion *past = pasts->all; past < pasts->all + PASTS; past++) {
        if (past->is_busy)
            continue;
        if (strcmp(past->name, name) == 0 && past->until <= ticket &&
            (!nearest || past->until > nearest->until))
            nearest = past;
        if (!oldest || past->turn < oldest->turn)
            oldest = past;
    }
    if (!nearest && oldest)
        forget(oldest);
    return nearest ? nearest : oldest;
}

static int take_over(struct conversion *c, const struct hm_addresses *theirs) {
    struct hm_live_block *blocks = hm_addresses_sorted(theirs);
    int bad = blocks ? 0 : ENOMEM;
    for (size_t i = 0; !bad && i < theirs->count; i++) {
        struct hm_live_block block = blocks[i];
        block.number = ++c->last;
        const struct hm_trace_event event = {.kind = HM_TRACE_INHERITED,
                                             .alignment_log2 = (uint8_t)block.alignment_log2,
                                             .block = block.number,
                                             .count = 1,
                                             .size = block.bytes};
        bad = put_event(c, &event);
        if (!bad)
            bad = hm_addresses_put(&c->live, &block);
    }
    if (theirs->count)
        c->thread_count = 1;
    free(blocks);
    return bad;
}

/* What was live in the parent when it forked; nothing when that is not known. */
static int inherit(struct conversion *c, const char *folder, unsigned depth) {
    char parent[HM_SPOOL_NAME_BYTES + 1] = "";
    struct conversion further = {.spool = NULL};
    uint64_t ticket = c->head->forked_at;
    memcpy(parent, c->head->parent, HM_SPOOL_NAME_BYTES);
    if (!parent[0] || strchr(parent, '/') || !depth)
        return 0;
    struct conversion *past = find_past(c->pasts, parent, ticket);
    if (!past)
        past = &further;
    int bad = past->spool ? 0 : open_conversion(past, folder, parent);
    bool is_unknown = bad && bad != ENOMEM;
    if (!bad) {
        past->is_busy = true;
        past->turn = ++c->pasts->turns;
        past->interrupted = c->interrupted;
        past->pasts = c->pasts;
        memcpy(past->name, parent, sizeof parent);
        bad = go_to(past, folder, depth - 1, ticket);
        past->is_busy = false;
    }
    if (!bad)
        bad = take_over(c, &past->live);
    if (bad || past == &further)
        forget(past);
    return is_unknown ? 0 : bad;
}

struct hm_convert_pasts *hm_convert_pasts_new(void) {
    return calloc(1, sizeof(struct hm_convert_pasts));
}

void hm_convert_pasts_free(struct hm_convert_pasts *pasts) {
    for (unsigned i = 0; pasts && i < PASTS; i++)
        forget(&pasts->all[i]);
    free(pasts);
}

/* ---- The trace ---- */

static int create(struct conversion *c, const struct hm_convert_options *options) {
    struct utsname machine;
    char system[3 * sizeof machine.sysname + 4] = "";
    char program[sizeof c->head->program + 1] = "";
    if (uname(&machine) == 0)
        snprintf(system, sizeof system, "%s %s %s", machine.sysname, machine.release,
                 machine.machine);
    memcpy(program, c->head->program, sizeof c->head->program);
    char *command = hm_command_of(c->head);
    const struct hm_trace_facts facts = {
        .program = program,
        .command = command ? command : "",
        .recorder = "heapmark " HM_VERSION,
        .machine = system,
        .pid = (uint64_t)c->head->pid,
        .started_utc = c->head->started_utc,
        .page_bytes = c->head->page_bytes,
        .has_times = c->head->has_times,
        .has_stacks = c->head->has_stacks,
    };
    int bad = hm_trace_create(options->out, &facts, &c->writer);
    free(command);
    return bad;
}

static int convert_once(struct conversion *c, const struct hm_convert_options *options,
                        unsigned window) {
    char spool[PATH_MAX];
    int bad = create(c, options);
    if (bad)
        return bad;
    snprintf(spool, sizeof spool, "%s/%s", options->folder, options->name);
    hm_addresses_free(&c->stacks);
    hm_modules_close(c->modules);
    c->modules = hm_modules_open(spool, c->writer);
    if (!c->modules) {
        hm_trace_abandon(c->writer);
        return ENOMEM;
    }
    bad = start(c, options->folder, window, FORKS_DEEP);
    if (!bad)
        bad = take_all(c);
    if (bad) {
        hm_trace_abandon(c->writer);
        c->writer = NULL;
    }
    return bad;
}

int hm_convert(const struct hm_convert_options *options, struct hm_converted *out,
               struct hm_error *error) {
    struct conversion c = {
        .until = UINT64_MAX, .interrupted = options->interrupted, .pasts = options->pasts};
    int bad = open_conversion(&c, options->folder, options->name);
    if (bad)
        return hm_fail(error, bad, "the spool of process %s can not be read: %s", options->name,
                       strerror(bad));
    bad = ERANGE;
    for (unsigned window = WINDOW_FIRST; bad == ERANGE && window <= WINDOW_LAST; window *= 16)
        bad = convert_once(&c, options, window);
    if (!bad) {
        out->error = c.head->error;
        out->dropped = options->is_alive && out->error == ENOENT ? 0 : c.head->dropped;
        out->missed = c.missed;
        bad = hm_trace_finish(c.writer, options->end, options->status, out->dropped, &out->totals);
    }
    end_conversion(&c);
    return bad ? hm_fail(error, bad, "%s: %s", options->out,
                         bad == EINTR ? "interrupted" : strerror(bad))
               : 0;
}
