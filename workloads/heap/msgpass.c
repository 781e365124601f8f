/* Producers send messages, in batches and to random consumers, who free them; too many of them on the
 * way make the producers wait.
 *
 * Every second thread produces, the others consume; with `proxies=on` every fourth thread passes the
 * messages on that it gets, and only then they are freed. A batch has 1 to 16 messages of one size: 48,
 * 64, 96 or 128 bytes. One thread by itself sends to itself, and frees what it has sent before the end
 * of a unit.
 *
 * A message is a block and no more: it is linked to the next one through its first word, as in the
 * original. A mailbox is a stack of messages, taken all at once by its owner; the original's is a queue.
 *
 * What is sent, and to whom, is drawn before the clock starts; to whom a proxy passes it on is written
 * in the message. So what each thread sends and frees depends on (seed, thread) alone, and only the
 * order in which messages arrive is a matter of timing: no checksum depends on it.
 *
 * Batches come in pairs with max_batch + 1 messages in all. Producers together send as many messages
 * as all threads are asked for operations.
 *
 * Verification. Each message carries a token; those sent and those freed have to add up to the same.
 *
 * Invariants
 *   A consumer leaves when all producers have ended their run, of those that it has begun as well,
 *   and nothing is on its way: between two runs all mailboxes are empty. A producer that memory runs
 *   out for ends its run as the others do, and so nobody waits for it. */
#include "workloads/scratch.h"
#include "workloads/spin.h"
#include "workloads/workload.h"

#include <errno.h>
#include <stdatomic.h>

enum {
    PARAM_OUT,
    PARAM_BATCH,
    PARAM_PROXIES,
};

enum {
    PAIRS_IN_UNIT = 60, /* of batches, for each thread that is asked */
    SCRIPT_BATCHES = 1 << 12,
    BATCHES_PER_YIELD = 16,
};

static const uint32_t sizes[] = {48, 64, 96, 128};
enum {
    SIZES = sizeof sizes / sizeof *sizes,
};

static const struct hm_param params[] = {
    [PARAM_OUT] = {.name = "max_out",
                   .unit = "messages",
                   .help = "producers wait while so many are on their way",
                   .kind = HM_PARAM_COUNT,
                   .initial = 4096,
                   .min = 1,
                   .max = 1 << 24},
    [PARAM_BATCH] = {.name = "max_batch",
                     .unit = "messages",
                     .help = "messages that are sent at once, at most",
                     .kind = HM_PARAM_COUNT,
                     .initial = 16,
                     .min = 1,
                     .max = 4096},
    [PARAM_PROXIES] = {.name = "proxies",
                       .unit = "",
                       .help = "whether every fourth thread passes on what it gets",
                       .kind = HM_PARAM_CHOICE,
                       .initial = 0,
                       .choices = "off|on"},
    {.name = NULL},
};

/* A block of the heap. */
struct message {
    struct message *next;
    uint32_t size;
    uint32_t token;
};

/* In run->shared there is one post, and behind it a mailbox for each thread. */
struct post {
    _Alignas(HM_SPIN_APART) atomic_uint_fast64_t on_their_way; /* messages */
    _Alignas(HM_SPIN_APART) atomic_uint_fast64_t ended;        /* runs of producers */
    atomic_uint_fast64_t sent;                                 /* tokens, added up */
    atomic_uint_fast64_t freed;
    atomic_bool failed; /* memory ran out */
    atomic_bool broken; /* more messages came than were on their way: all leave */
};

struct mailbox {
    _Alignas(HM_SPIN_APART) _Atomic(struct message *) top;
};

enum role {
    ROLE_BOTH,
    ROLE_PRODUCER,
    ROLE_CONSUMER,
    ROLE_PROXY,
};

struct batch {
    uint32_t count;
    uint32_t size;
    uint32_t token; /* of the first message; the others follow */
    uint32_t to;    /* a thread */
};

/* One mapping: this, the readers, the script. */
struct msgpass {
    enum role role;
    struct post *post;
    struct mailbox *boxes;
    uint64_t max_out;
    uint64_t most;      /* messages that can be on their way at all */
    unsigned producers; /* of the cell */
    unsigned readers;   /* consumers, then proxies */
    unsigned consumers;
    unsigned *reader; /* their threads */
    uint64_t runs;    /* that were begun */
    uint64_t pairs;   /* in a unit, of this producer */
    uint64_t batches; /* sent since the start */
    uint64_t tokens;  /* of those that were sent in this run, added up */
    size_t bytes;
    struct batch *script;
};

static enum role role_of(const struct hm_value *values, unsigned thread, unsigned threads) {
    if (threads == 1)
        return ROLE_BOTH;
    if (thread % 2 == 0)
        return ROLE_PRODUCER;
    return values[PARAM_PROXIES].number && thread % 4 == 3 ? ROLE_PROXY : ROLE_CONSUMER;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return PAIRS_IN_UNIT * ((uint64_t)values[PARAM_BATCH].number + 1);
}

static size_t shared_bytes(const struct hm_value *values, unsigned threads) {
    (void)values;
    return sizeof(struct post) + threads * sizeof(struct mailbox);
}

/* ---- Set-up ---- */

static void list_readers(const struct hm_run *run, struct msgpass *msgpass) {
    for (unsigned i = 0; i < run->threads; i++) {
        enum role role = role_of(run->params, i, run->threads);
        if (role == ROLE_CONSUMER || role == ROLE_BOTH)
            msgpass->reader[msgpass->readers++] = i;
    }
    msgpass->consumers = msgpass->readers;
    for (unsigned i = 0; i < run->threads; i++)
        if (role_of(run->params, i, run->threads) == ROLE_PROXY)
            msgpass->reader[msgpass->readers++] = i;
    msgpass->producers = run->threads > 1 ? (run->threads + 1) / 2 : 1;
}

/* Of all pairs that the cell sends in a unit, the share of this producer: so that they add up. */
static uint64_t share_of(const struct hm_run *run, unsigned producers) {
    uint64_t all = (uint64_t)PAIRS_IN_UNIT * run->threads;
    uint64_t rank = run->thread / 2;
    return all * (rank + 1) / producers - all * rank / producers;
}

static void draw(const struct hm_run *run, struct msgpass *msgpass) {
    struct hm_random random = hm_random_of(run->seed, run->thread);
    uint32_t max = (uint32_t)run->params[PARAM_BATCH].number;
    uint32_t count = 0;
    for (size_t i = 0; i < SCRIPT_BATCHES; i++) {
        count = i % 2 ? max + 1 - count : 1 + (uint32_t)hm_random_below(&random, max);
        msgpass->script[i] = (struct batch){
            count, sizes[hm_random_below(&random, SIZES)], (uint32_t)hm_random_next(&random),
            msgpass->reader[hm_random_below(&random, msgpass->readers)]};
    }
}

static int setup(struct hm_run *run) {
    enum role role = role_of(run->params, run->thread, run->threads);
    bool sends = role == ROLE_PRODUCER || role == ROLE_BOTH;
    size_t script = sends ? SCRIPT_BATCHES * sizeof(struct batch) : 0;
    size_t bytes = sizeof(struct msgpass) + script + run->threads * sizeof(unsigned);
    struct msgpass *msgpass = hm_scratch(bytes);
    if (!msgpass)
        return ENOMEM;
    msgpass->bytes = bytes;
    msgpass->role = role;
    msgpass->post = run->shared;
    msgpass->boxes = (struct mailbox *)(msgpass->post + 1);
    msgpass->script = (struct batch *)(msgpass + 1);
    msgpass->reader = (unsigned *)(void *)((char *)(msgpass + 1) + script);
    list_readers(run, msgpass);
    msgpass->max_out = (uint64_t)run->params[PARAM_OUT].number;
    msgpass->most =
        msgpass->max_out + (uint64_t)run->params[PARAM_BATCH].number * msgpass->producers;
    if (sends)
        draw(run, msgpass);
    msgpass->pairs = share_of(run, msgpass->producers);
    run->state = msgpass;
    return 0;
}

/* ---- Mailboxes ---- */

/* Hand over messages that are linked from first to last. */
static void put(struct mailbox *box, struct message *first, struct message *last) {
    struct message *top = atomic_load_explicit(&box->top, memory_order_relaxed);
    do
        last->next = top;
    while (!atomic_compare_exchange_weak_explicit(&box->top, &top, first, memory_order_release,
                                                  memory_order_relaxed));
}

static struct message *take_all(struct mailbox *box) {
    if (!atomic_load_explicit(&box->top, memory_order_relaxed))
        return NULL;
    return atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
}

static struct mailbox *own_box(const struct hm_run *run, const struct msgpass *msgpass) {
    return &msgpass->boxes[run->thread % run->threads];
}

/* ---- Sending ---- */

__attribute__((noinline, cold)) static void unsend(const struct hm_memory *memory,
                                                   struct message *message) {
    while (message) {
        struct message *next = message->next;
        hm_free(memory, message);
        message = next;
    }
}

/* @return whether there was memory; if not, nothing is sent */
__attribute__((noinline)) static bool send(struct hm_run *run, struct msgpass *msgpass,
                                           const struct batch *batch) {
    const struct hm_memory memory = *run->memory; /* the called pointers stay in registers */
    struct message *first = NULL;
    struct message *last = NULL;
    uint64_t tokens = 0;
    uint32_t i = 0;
    do {
        struct message *message = hm_malloc(&memory, batch->size);
        if (__builtin_expect(!message, 0)) {
            unsend(&memory, first);
            return false;
        }
        *message = (struct message){first, batch->size, batch->token + i};
        tokens += message->token;
        last = last ? last : message;
        first = message;
    } while (++i < batch->count);
    atomic_fetch_add(&msgpass->post->on_their_way, batch->count);
    put(&msgpass->boxes[batch->to], first, last);
    msgpass->tokens += tokens;
    run->checksum += tokens * batch->size + batch->to;
    return true;
}

/* ---- Receiving ---- */

/* @return how many there were */
__attribute__((noinline)) static uint64_t free_received(struct hm_run *run,
                                                        struct msgpass *msgpass) {
    const struct hm_memory memory = *run->memory;
    struct message *message = take_all(own_box(run, msgpass));
    uint64_t count = 0;
    uint64_t tokens = 0;
    uint64_t sum = 0;
    if (!message)
        return 0;
    while (message && count < msgpass->most) {
        struct message *next = message->next;
        tokens += message->token;
        sum += hm_mix(message->token + message->size);
        hm_free(&memory, message);
        message = next;
        count++;
    }
    if (__builtin_expect(message != NULL, 0))
        atomic_store(&msgpass->post->broken, true);
    run->checksum += sum;
    atomic_fetch_add(&msgpass->post->freed, tokens);
    return count;
}

static uint64_t pass_on_received(struct hm_run *run, struct msgpass *msgpass) {
    struct message *message = take_all(own_box(run, msgpass));
    uint64_t count = 0;
    while (message && count < msgpass->most) {
        struct message *next = message->next;
        unsigned to = msgpass->reader[message->token % msgpass->consumers];
        run->checksum += hm_mix(message->token + message->size);
        put(&msgpass->boxes[to], message, message);
        message = next;
        count++;
    }
    if (__builtin_expect(message != NULL, 0))
        atomic_store(&msgpass->post->broken, true);
    return count;
}

/* ---- Roles ---- */

static uint64_t free_own(struct hm_run *run, struct msgpass *msgpass) {
    uint64_t count = free_received(run, msgpass);
    atomic_fetch_sub(&msgpass->post->on_their_way, count);
    return count;
}

/* @return whether there is room: not, if all is lost */
static bool await_room(struct hm_run *run, struct msgpass *msgpass) {
    unsigned spins = 0;
    while (atomic_load(&msgpass->post->on_their_way) >= msgpass->max_out &&
           !atomic_load(&msgpass->post->broken))
        if (msgpass->role == ROLE_BOTH)
            free_own(run, msgpass);
        else
            hm_spin_wait(&spins);
    return !atomic_load_explicit(&msgpass->post->broken, memory_order_relaxed);
}

/* @return whether there was memory; if not, the next call sends what is missing of the unit */
static bool send_unit(struct hm_run *run, struct msgpass *msgpass) {
    uint64_t in_unit = 2 * msgpass->pairs;
    uint64_t left = in_unit - msgpass->batches % in_unit;
    for (; left > 0; left--) {
        if (!await_room(run, msgpass) ||
            !send(run, msgpass, &msgpass->script[msgpass->batches % SCRIPT_BATCHES]))
            return false;
        msgpass->batches++;
        if (msgpass->batches % BATCHES_PER_YIELD == 0 && msgpass->role == ROLE_PRODUCER)
            sched_yield();
    }
    return true;
}

static uint64_t produce(struct hm_run *run, struct msgpass *msgpass, uint64_t units) {
    uint64_t done = 0;
    msgpass->tokens = 0;
    while (done < units && send_unit(run, msgpass)) {
        done++;
        if (msgpass->role == ROLE_BOTH)
            free_own(run, msgpass);
    }
    if (msgpass->role == ROLE_BOTH)
        free_own(run, msgpass);
    atomic_fetch_add(&msgpass->post->sent, msgpass->tokens);
    if (done < units)
        atomic_store(&msgpass->post->failed, true);
    atomic_fetch_add(&msgpass->post->ended, 1);
    return done;
}

/* All producers have come as far as this thread, and nothing is left of what they sent. */
static bool is_over(const struct msgpass *msgpass) {
    return atomic_load(&msgpass->post->ended) >= msgpass->runs * msgpass->producers &&
           atomic_load(&msgpass->post->on_their_way) == 0;
}

static uint64_t receive(struct hm_run *run, struct msgpass *msgpass, uint64_t units) {
    uint64_t count = 0;
    unsigned spins = 0;
    while (!atomic_load(&msgpass->post->broken) && !is_over(msgpass)) {
        uint64_t came =
            msgpass->role == ROLE_PROXY ? pass_on_received(run, msgpass) : free_own(run, msgpass);
        count += came;
        if (came)
            spins = 0;
        else
            hm_spin_wait(&spins);
    }
    uint64_t whole = count / ops_per_unit(run->params);
    return atomic_load(&msgpass->post->failed) && whole < units ? whole : units;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct msgpass *msgpass = run->state;
    msgpass->runs++;
    if (msgpass->role == ROLE_PRODUCER || msgpass->role == ROLE_BOTH)
        return produce(run, msgpass, units);
    return receive(run, msgpass, units);
}

/* ---- After the run ---- */

static const char *verify(struct hm_run *run) {
    const struct msgpass *msgpass = run->state;
    if (atomic_load(&msgpass->post->broken))
        return "more messages arrived than were sent";
    if (atomic_load(&msgpass->post->sent) != atomic_load(&msgpass->post->freed))
        return "a message did not arrive as it was sent";
    return NULL;
}

static uint64_t live_bytes(const struct hm_run *run) {
    (void)run;
    return 0;
}

static void teardown(struct hm_run *run) {
    struct msgpass *msgpass = run->state;
    hm_scratch_free(msgpass, msgpass->bytes);
    run->state = NULL;
}

static const struct hm_workload msgpass = {
    HM_WORKLOAD_VARIANT,
    .name = "msgpass",
    .summary = "producers send messages to random consumers, who free them",
    .stresses = "small blocks that are freed by other threads, a few at a time",
    .origin = "snmalloc's perf-msgpass (Lietar et al., ISMM 2019): 3 producers, 3 consumers and 2 "
              "proxies; at most 4096 messages on their way",
    .op = "malloc, hand-over and free of a message",
    .params = params,
    .ops_per_unit = ops_per_unit,
    .shared_bytes = shared_bytes,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, msgpass);
