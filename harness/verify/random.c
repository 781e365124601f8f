/* The long random scripts: random, which shrinks what it finds, and random-threads. */
#include "harness/verify/property.h"
#include "harness/verify/script.h"
#include "harness/verify/shrink.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <time.h>

enum {
    CHECK_EVERY = 8192, /* operations between two checks of all live blocks */
    TELL_EVERY = 64,
    EPISODES_BACK = 64, /* most that a shrunk script may begin before its failure */
};

static const double shrink_s = 15; /* for all trials together; or 5 timeouts, if that is less */

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool excuses(void *arg, const char *call) {
    return hm_verify_is_misaligned(arg, call);
}

static bool may_refuse(void *arg, size_t bytes) {
    return hm_verify_may_refuse(arg, bytes);
}

static void open_player(struct hm_verify *v, struct hm_player *player, uint64_t salt) {
    *player = (struct hm_player){.memory = v->memory,
                                 .alignment = v->alignment,
                                 .promised = v->promised,
                                 .unaligned = v->unaligned,
                                 .may_refuse = v->may_run_out ? may_refuse : NULL,
                                 .asks_again = !v->no_reuse && (!v->may_run_out || v->arena_bytes),
                                 .excuses = excuses,
                                 .arg = v,
                                 .no_usable = v->no_usable,
                                 .no_aligned = v->no_aligned};
    if (hm_shadow_open(&player->shadow, HM_SCRIPT_IDS, v->seed + salt))
        hm_verify_fail(v, "no memory for the shadow heap");
    v->shadows[v->shadow_count++] = &player->shadow;
}

static void fail_at(struct hm_verify *v, uint64_t index, const struct hm_op *op, int code,
                    const struct hm_error *error) {
    char text[96];
    if (code == ENOMEM && v->no_reuse)
        hm_verify_unsupported(v, "out of memory at operation %llu: free gives nothing back",
                              (unsigned long long)index);
    hm_op_print(op, text, sizeof text);
    hm_verify_fail(v, "operation %llu of seed %llu (%s): %s", (unsigned long long)index,
                   (unsigned long long)v->seed, text, error->line);
}

/* At the end, with no live block. */
static void conclude(struct hm_verify *v, const struct hm_player *players, unsigned count) {
    struct hm_error error = {""};
    uint64_t asked = 0;
    uint64_t refused = 0;
    for (unsigned i = 0; i < count; i++) {
        if (hm_player_again(&players[i], &error)) {
            v->board->ops -= v->board->ops > 0; /* the last operation is the one that failed */
            hm_verify_fail(v, "%s", error.line);
        }
        asked += players[i].asked;
        refused += players[i].refused;
    }
    v->board->refused = refused;
    if (refused > asked / 2)
        hm_verify_unsupported(v, "the arena is too small for this: most requests were refused");
}

/* The board's count is the index of the operation that runs: should the process die of it, that is
 * all that is left. */
static void check_random(struct hm_verify *v) {
    struct hm_player player;
    struct hm_script *script = hm_verify_scratch(v, sizeof *script);
    struct hm_error error = {""};
    struct hm_op op;
    uint64_t *index = &v->board->ops;
    open_player(v, &player, 0);
    double begin = now_s();
    *index = 0;
    for (uint64_t episode = 0; *index < v->ops; episode++) {
        hm_script_begin(script, v->seed, episode, v->ops - *index);
        while (hm_script_next(script, &op)) {
            int bad = hm_player_step(&player, &op, &error);
            if (!bad && *index % CHECK_EVERY == 0)
                bad = hm_shadow_check_all(&player.shadow, &error);
            if (bad)
                fail_at(v, *index, &op, bad, &error);
            __atomic_store_n(index, *index + 1, __ATOMIC_RELAXED);
        }
        hm_verify_reset(v);
    }
    v->board->seconds = now_s() - begin;
    conclude(v, &player, 1);
    if (v->unaligned)
        hm_verify_note(v, "alignment was not looked at: it has failed by itself");
}

static size_t collect(struct hm_verify *v, struct hm_script *script, uint64_t first,
                      struct hm_op *ops) {
    size_t count = 0;
    for (uint64_t i = first * HM_EPISODE_OPS; i <= v->failed_at;) {
        hm_script_begin(script, v->seed, i / HM_EPISODE_OPS, v->ops - i);
        for (; i <= v->failed_at && hm_script_next(script, &ops[count]); i++)
            count++;
    }
    return count;
}

/* Ids in the order in which they come. */
static void write_script(struct hm_board *board, struct hm_op *ops, size_t count,
                         uint32_t *numbers) {
    uint32_t known = 0;
    size_t used = 0;
    memset(numbers, 0, HM_SCRIPT_IDS * sizeof *numbers);
    board->script_ops = (unsigned)count;
    for (size_t i = 0; i < count; i++) {
        uint32_t *number = &numbers[ops[i].id];
        if (!*number)
            *number = ++known;
        ops[i].id = *number;
        used += (size_t)hm_op_print(&ops[i], board->script + used, sizeof board->script - used);
        if (used + 2 >= sizeof board->script) {
            board->script[0] = '\0'; /* a part of a script would not fail */
            return;
        }
        board->script[used++] = '\n';
    }
    board->script[used] = '\0';
}

/* The failing episode alone, where that is enough; else with twice as many before it each time. */
static void shrink_random(struct hm_verify *v) {
    struct hm_player player;
    struct hm_script *script = hm_verify_scratch(v, sizeof *script);
    uint64_t last = v->failed_at / HM_EPISODE_OPS;
    uint64_t most = last + 1 < EPISODES_BACK ? last + 1 : EPISODES_BACK;
    size_t room = (size_t)most * HM_EPISODE_OPS;
    struct hm_op *ops = hm_verify_scratch(v, 2 * room * sizeof *ops);
    open_player(v, &player, 0);
    for (uint64_t back = 1;; back = back * 2 < most ? back * 2 : most) {
        struct hm_shrink shrink = {.v = v,
                                   .player = &player,
                                   .ops = ops,
                                   .trial = ops + room,
                                   .seconds = fmin(shrink_s, 5 * v->timeout_s)};
        shrink.count = collect(v, script, last + 1 - back, ops);
        if (hm_shrink(&shrink) == 0) {
            write_script(v->board, ops, shrink.count, script->ids);
            return;
        }
        if (back == most)
            return;
    }
}

static const struct hm_property random_property = {
    .name = "random",
    .summary = "a long random script under the shadow heap; what fails is shrunk",
    .point = 100,
    .threads = 1,
    .run = check_random,
    .shrink = shrink_random,
};
HM_REGISTER(hm_property, random_property);

enum {
    THREADS = 4,
    BURST = 24,
    MEETINGS = 8, /* for each operation of a script: they take about as long */
    MAILBOX = 128,
};

/* A block on its way: its receiver checks it with the sender's key, and frees it. */
struct parcel {
    char *p;
    size_t bytes;
    uint64_t key;
};

/* One writer, one reader. */
struct mailbox {
    _Alignas(64) uint32_t written;
    _Alignas(64) uint32_t read;
    struct parcel parcels[MAILBOX];
};

struct crowd {
    struct hm_verify *v;
    uint64_t round;
    uint64_t ops;                  /* of one thread in one round */
    struct mailbox boxes[THREADS]; /* box i is read by thread i, and written by the one before it */
    struct hm_player players[THREADS];
    struct hm_script scripts[THREADS];
};

static bool send(struct crowd *c, unsigned to, const struct parcel *parcel) {
    struct mailbox *box = &c->boxes[to];
    uint32_t written = box->written;
    if (written - __atomic_load_n(&box->read, __ATOMIC_ACQUIRE) == MAILBOX)
        return false;
    box->parcels[written % MAILBOX] = *parcel;
    __atomic_store_n(&box->written, written + 1, __ATOMIC_RELEASE);
    return true;
}

static void receive(struct crowd *c, unsigned number) {
    struct mailbox *box = &c->boxes[number];
    while (box->read != __atomic_load_n(&box->written, __ATOMIC_ACQUIRE)) {
        struct parcel parcel = box->parcels[box->read % MAILBOX];
        size_t at = hm_pattern_check(parcel.p, parcel.bytes, parcel.key);
        if (at < parcel.bytes)
            hm_verify_fail(c->v,
                           "byte %zu of a block of %zu bytes was changed on its way to "
                           "another thread",
                           at, parcel.bytes);
        hm_free(c->v->memory, parcel.p);
        __atomic_sub_fetch(&c->v->away_bytes, parcel.bytes, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&c->v->away_blocks, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&box->read, box->read + 1, __ATOMIC_RELEASE);
    }
}

/* Every fourth free is done by the next thread. */
static bool give_away(struct crowd *c, unsigned number, const struct hm_op *op) {
    struct hm_shadow *s = &c->players[number].shadow;
    if (op->kind != HM_OP_FREE || op->id % 4 || !hm_shadow_is_live(s, op->id))
        return false;
    const struct hm_shadow_block *b = &s->blocks[op->id];
    const struct parcel parcel = {b->begin, b->bytes,
                                  hm_pattern_key(s->salt, op->id, b->generation)};
    if (!send(c, (number + 1) % THREADS, &parcel))
        return false;
    __atomic_add_fetch(&c->v->away_bytes, parcel.bytes, __ATOMIC_RELAXED);
    __atomic_add_fetch(&c->v->away_blocks, 1, __ATOMIC_RELAXED);
    hm_shadow_forget(s, op->id); /* unseen: the receiver may have freed it by now */
    return true;
}

/* The threads meet in the heap far more often when they do nothing else: no shadow, one word that
 * is the thread's own in each block. */
static void meet(const struct crowd *c, unsigned number) {
    void *blocks[BURST];
    for (uint64_t done = 0; done < MEETINGS * c->ops; done += 2 * sizeof blocks / sizeof *blocks) {
        for (unsigned i = 0; i < BURST; i++) {
            blocks[i] = hm_verify_malloc(c->v, 16 + i % 2 * 16);
            unsigned mine = number * BURST + i;
            memcpy(blocks[i], &mine, sizeof mine); /* it may lie anywhere */
        }
        for (unsigned i = 0; i < BURST; i++) {
            unsigned mine = number * BURST + i;
            if (memcmp(blocks[i], &mine, sizeof mine) != 0)
                hm_verify_fail(c->v, "two threads were given the same block");
            hm_free(c->v->memory, blocks[i]);
        }
        hm_verify_progress(c->v, 1);
    }
}

static void play_round(void *arg, unsigned number) {
    struct crowd *c = arg;
    meet(c, number);
    struct hm_script *script = &c->scripts[number];
    struct hm_error error = {""};
    struct hm_op op;
    hm_script_begin(script, c->v->seed + 1, c->round * THREADS + number, c->ops);
    for (uint64_t i = 0; hm_script_next(script, &op); i++) {
        if (!give_away(c, number, &op)) {
            int bad = hm_player_step(&c->players[number], &op, &error);
            if (!bad && i % CHECK_EVERY == 0)
                bad = hm_shadow_check_all(&c->players[number].shadow, &error);
            if (bad)
                fail_at(c->v, i, &op, bad, &error);
        }
        if (i % TELL_EVERY == 0) {
            receive(c, number);
            hm_verify_progress(c->v, TELL_EVERY);
        }
    }
}

/* Each round is one episode of each thread; the threads of the next one are new. */
static void check_random_threads(struct hm_verify *v) {
    struct crowd *c = hm_verify_scratch(v, sizeof *c);
    uint64_t rounds = v->ops / THREADS / HM_EPISODE_OPS + 1;
    c->v = v;
    c->ops = v->ops / THREADS / rounds;
    hm_verify_away(v, (size_t)THREADS * BURST,
                   (size_t)THREADS * BURST * 32); /* of those that meet */
    for (unsigned i = 0; i < THREADS; i++)
        open_player(v, &c->players[i], i);
    double begin = now_s();
    v->board->ops = 0;
    for (c->round = 0; c->round < rounds; c->round++) {
        hm_verify_threads(v, THREADS, play_round, c);
        for (unsigned i = 0; i < THREADS; i++)
            receive(c, i);
        hm_verify_reset(v);
    }
    v->board->seconds = now_s() - begin;
    conclude(v, c->players, THREADS);
}

static const struct hm_property random_threads = {
    .name = "random-threads",
    .summary = "random scripts of 4 threads, which free each other's blocks",
    .point = 101,
    .threads = THREADS,
    .run = check_random_threads,
};
HM_REGISTER(hm_property, random_threads);
