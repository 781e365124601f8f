/* A process that owns objects, and others that ask it for what they want done with them, over a socket.
 *
 * This is how processes work on objects that do not lie in shared memory: each has a proxy only, and an
 * operation on it is a message to the owner and its answer. What that costs is to be held against
 * shm-counter, where the processes reach for the memory themselves.
 *
 * Vocabulary
 *   server   the process that owns the objects; it answers one request after the other, so there is no lock.
 *   client   asks, and waits for the answer, again and again. The cell's own process is one, too, which asks
 *            at the end what all increments came to.
 *   object   a number that is set and got, and one that is incremented.
 *
 * The sockets are pairs, made before the processes are: nothing in a file system names them. Each process
 * closes all ends but its own, so that whoever is left alone finds out.
 *
 * Invariant: what a set stores has its object's number in its low bits, and a get has to bring one of these
 * or 0. The increments that clients were answered add up to what the server counts.
 *
 * Source: Python's multiprocessing.managers; there the server has a thread for each client. */
#include "workloads/process/crew.h"
#include "workloads/scratch.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum {
    PARAM_PROCESSES,
    PARAM_OBJECTS,
    PARAM_ASK,
};

/* As the words of the parameter; mixed is drawn from the other three. */
enum request_kind {
    ASK_MIXED,
    ASK_GET,
    ASK_SET,
    ASK_INCR,
    ASK_TOTAL, /* of all increments */
};

enum {
    CLIENTS_MAX = HM_CREW_MAX - 1,
    SCRIPT = 4096, /* requests */
    OBJECT_BITS = 16,
};

static const struct hm_param params[] = {
    [PARAM_PROCESSES] = {.name = "processes",
                         .unit = "processes",
                         .help = "clients; the server is one more",
                         .kind = HM_PARAM_COUNT,
                         .initial = 2,
                         .min = 1,
                         .max = CLIENTS_MAX},
    [PARAM_OBJECTS] = {.name = "objects",
                       .unit = "objects",
                       .help = "what the server owns",
                       .kind = HM_PARAM_COUNT,
                       .initial = 6,
                       .min = 1,
                       .max = 1 << OBJECT_BITS},
    [PARAM_ASK] = {.name = "ask",
                   .unit = "",
                   .help = "what the clients ask for; mixed is a third of each",
                   .kind = HM_PARAM_CHOICE,
                   .choices = "mixed|get|set|incr"},
    {.name = NULL},
};

enum {
    FIGURE_ROUND_TRIP,
};

static const struct hm_figure figures[] = {
    [FIGURE_ROUND_TRIP] = {.name = "round_trip_ns",
                           .unit = "ns",
                           .help = "mean time from a client's request to its answer",
                           .better = HM_FIGURE_LOWER_IS_BETTER,
                           .over_threads = HM_FIGURE_MAX},
    {.name = NULL},
};

struct request {
    uint32_t kind;
    uint32_t object;
    uint64_t value;
};

struct object {
    uint64_t value;
    uint64_t count;
};

/* In the body of the segment: of a client, which alone writes here. */
struct client {
    _Alignas(HM_SPIN_APART) uint64_t asked; /* requests that were answered */
    uint64_t increments;                    /* of these */
    uint64_t digest;
    bool wrong; /* an answer can not be */
    bool alone; /* nobody answers any more */
    struct request script[SCRIPT];
};

struct state {
    struct hm_crew crew;
    struct client *clients;
    unsigned count;
    int socket; /* the cell's own */
    uint64_t asked;
    uint64_t busy_mark, asked_mark;
};

static unsigned processes_of(const struct hm_value *values) {
    return (unsigned)values[PARAM_PROCESSES].number + 1;
}

static uint64_t ops_per_unit(const struct hm_value *values) {
    return (uint64_t)values[PARAM_PROCESSES].number;
}

/* The ends of pair i. */
static int *client_end(struct hm_crew_head *head, unsigned i) {
    return &head->fds[(size_t)2 * i];
}

static int *server_end(struct hm_crew_head *head, unsigned i) {
    return &head->fds[(size_t)2 * i + 1];
}

/* ---- The server ---- */

static uint64_t answer(const struct hm_crew_head *head, struct object *objects,
                       const struct request *request) {
    struct object *object = &objects[request->object];
    uint64_t sum = 0;
    switch (request->kind) {
    case ASK_GET:
        return object->value;
    case ASK_SET:
        return object->value = request->value;
    case ASK_INCR:
        return ++object->count;
    default:
        for (int64_t i = 0; i < head->params[PARAM_OBJECTS]; i++)
            sum += objects[i].count;
        return sum;
    }
}

/* @return whether the client is still there */
static bool serve_one(const struct hm_crew_head *head, struct object *objects, int fd) {
    struct request request;
    if (recv(fd, &request, sizeof request, 0) != sizeof request ||
        request.object >= head->params[PARAM_OBJECTS])
        return false;
    uint64_t value = answer(head, objects, &request);
    return send(fd, &value, sizeof value, MSG_NOSIGNAL) == sizeof value;
}

/* Until the last client is gone. */
static void serve(struct hm_member *member) {
    struct hm_crew_head *head = member->head;
    struct object *objects = member->state;
    struct pollfd fds[HM_CREW_MAX];
    unsigned count = head->workers + 1;
    unsigned left = count;
    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd){*server_end(head, i), POLLIN, 0};
    while (left && poll(fds, count, -1) > 0)
        for (unsigned i = 0; i < count; i++) {
            if (!fds[i].revents || serve_one(head, objects, fds[i].fd))
                continue;
            close(fds[i].fd);
            fds[i].fd = -1;
            left--;
        }
}

/* ---- A client ---- */

/* @return whether it was answered */
static bool ask(int fd, const struct request *request, uint64_t *value) {
    return send(fd, request, sizeof *request, MSG_NOSIGNAL) == sizeof *request &&
           recv(fd, value, sizeof *value, 0) == sizeof *value;
}

static bool can_be(const struct request *request, uint64_t value) {
    const uint64_t mask = (1 << OBJECT_BITS) - 1;
    if (request->kind == ASK_GET)
        return value == 0 || (value & mask) == request->object;
    return request->kind == ASK_SET ? value == request->value : value > 0;
}

static uint64_t work(struct hm_member *member, uint64_t units) {
    struct client *client = (struct client *)member->body + member->index;
    int fd = *client_end(member->head, member->index);
    for (uint64_t i = 0; i < units; i++) {
        const struct request *request = &client->script[client->asked % SCRIPT];
        uint64_t value;
        if (!ask(fd, request, &value)) {
            client->alone = true;
            return i;
        }
        client->wrong |= !can_be(request, value);
        client->increments += request->kind == ASK_INCR;
        client->digest += hm_mix(request->value + client->asked++);
    }
    return units;
}

static void draw(const struct hm_crew_head *head, struct client *client, unsigned index) {
    struct hm_random random = hm_random_of(head->seed, index);
    for (size_t i = 0; i < SCRIPT; i++) {
        uint32_t kind = (uint32_t)head->params[PARAM_ASK];
        if (kind == ASK_MIXED)
            kind = ASK_GET + (uint32_t)hm_random_below(&random, 3);
        uint32_t object = (uint32_t)hm_random_below(&random, (uint64_t)head->params[PARAM_OBJECTS]);
        client->script[i] =
            (struct request){kind, object, hm_random_next(&random) << OBJECT_BITS | object};
    }
}

static void close_others(struct hm_crew_head *head, unsigned index) {
    bool is_server = index == head->workers;
    for (unsigned i = 0; i <= head->workers; i++) {
        if (is_server || i != index)
            close(*client_end(head, i));
        if (!is_server)
            close(*server_end(head, i));
    }
}

static int prepare(struct hm_member *member) {
    const struct hm_crew_head *head = member->head;
    close_others(member->head, member->index);
    if (member->index < head->workers) {
        draw(head, (struct client *)member->body + member->index, member->index);
        return 0;
    }
    member->state = hm_scratch((size_t)head->params[PARAM_OBJECTS] * sizeof(struct object));
    return member->state ? 0 : ENOMEM;
}

static const struct hm_crew_job job = {
    .name = "manager", .prepare = prepare, .work = work, .serve = serve};
HM_REGISTER(hm_crew_job, job);

/* ---- The cell's process ---- */

static const struct hm_workload manager;

static int open_pairs(struct hm_crew_head *head, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, client_end(head, i)))
            return errno;
    return 0;
}

/* But the cell's own, which give_back() closes. The numbers stay, for members. */
static void close_pairs(struct hm_crew_head *head, int kept) {
    for (unsigned i = 0; i < HM_CREW_FDS; i++)
        if (head->fds[i] >= 0 && head->fds[i] != kept)
            close(head->fds[i]);
}

static void give_back(struct state *state) {
    if (state->socket >= 0)
        close(state->socket);
    hm_crew_close(&state->crew);
    hm_scratch_free(state, sizeof *state);
}

static int start(struct hm_run *run, struct state *state) {
    int bad = hm_crew_open(&state->crew, run, &manager, state->count * sizeof(struct client),
                           state->count, 1);
    if (bad)
        return bad;
    struct hm_crew_head *head = state->crew.head;
    state->clients = state->crew.body;
    bad = open_pairs(head, state->count + 1);
    if (!bad)
        bad = hm_crew_start(&state->crew, run, HM_CREW_EXEC);
    state->socket = *client_end(head, state->count);
    close_pairs(head, state->socket);
    return bad;
}

static int setup(struct hm_run *run) {
    struct state *state = hm_scratch(sizeof *state);
    if (!state)
        return ENOMEM;
    state->socket = -1;
    state->count = (unsigned)run->params[PARAM_PROCESSES].number;
    int bad = start(run, state);
    if (bad) {
        give_back(state);
        return bad;
    }
    run->state = state;
    return 0;
}

static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct state *state = run->state;
    uint64_t done = hm_crew_turn(&state->crew, run, units);
    uint64_t digest = 0;
    for (unsigned i = 0; i < state->count; i++) {
        digest += state->clients[i].digest;
        if (state->clients[i].alone && !run->failed)
            run->failed = "the server does not answer any more";
    }
    state->asked += units;
    run->checksum = digest;
    return done;
}

static void measure(struct hm_run *run, double *values) {
    struct state *state = run->state;
    uint64_t busy_ns = 0;
    uint64_t asked = 0;
    for (unsigned i = 0; i < state->count; i++) {
        busy_ns += state->crew.head->places[i].busy_ns;
        asked += state->clients[i].asked;
    }
    if (asked > state->asked_mark)
        values[FIGURE_ROUND_TRIP] =
            (double)(busy_ns - state->busy_mark) / (double)(asked - state->asked_mark);
    state->busy_mark = busy_ns;
    state->asked_mark = asked;
}

static const char *verify(struct hm_run *run) {
    const struct state *state = run->state;
    const struct request request = {.kind = ASK_TOTAL};
    uint64_t increments = 0;
    uint64_t total;
    for (unsigned i = 0; i < state->count; i++) {
        const struct client *client = &state->clients[i];
        if (client->wrong)
            return "the server's answer can not be";
        if (client->asked != state->asked)
            return "a client did not ask as often as it was told to";
        increments += client->increments;
    }
    if (!ask(state->socket, &request, &total))
        return "the server does not answer any more";
    return total == increments ? NULL : "the increments do not add up to what the server counts";
}

static void teardown(struct hm_run *run) {
    give_back(run->state);
}

static const struct hm_workload manager = {
    HM_WORKLOAD_VARIANT,
    .name = "manager",
    .summary = "a server process owns objects; clients ask it over a socket to get, set, increment",
    .stresses = "what a proxy costs: a message and its answer in the place of a few instructions",
    .origin = "Python's multiprocessing.managers: proxies of objects that a server process owns",
    .op = "request and its answer",
    .params = params,
    .max_threads = 1,
    .figures = figures,
    .measure = measure,
    .ops_per_unit = ops_per_unit,
    .processes = processes_of,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, manager);
