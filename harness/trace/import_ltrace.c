/* What ltrace prints of the malloc family, with -f or without, on a terminal or with -o.
 *
 *   [pid 12] lua->malloc(10)                    = 0x55d0c2d602a0
 *   12 lua->reallocarray(0, 3, 4 <unfinished ...>
 *   12 libc.so.6->calloc(0, 12)                 = 0x55d0c2d603e0
 *   12 <... reallocarray resumed> )             = 0x55d0c2d603e0
 *
 * A call within a call of the family is that call's own affair and is left out. A free happens where
 * its line begins, all others where their line ends. The block of posix_memalign is not in the text: it
 * counts as dropped, and its free as that of a foreign block. Other functions, signals and exits are
 * passed over. */
#include "harness/trace/import.h"
#include "harness/trace/texts.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARGUMENTS_MAX = 4,
    DROPPED = HM_TRACE_KINDS, /* posix_memalign */
    UNKNOWN,
    THREADS_MAX = 1 << 16,
};

/* A call of the family that has begun and not ended. */
struct pending {
    unsigned kind;  /* enum hm_trace_kind, or DROPPED */
    unsigned depth; /* calls of the family that it is in, and itself; 0: there is none */
    uint64_t arguments[ARGUMENTS_MAX];
};

struct state {
    struct hm_texts pids; /* their numbers are those of the threads */
    struct pending *threads;
    size_t room;
};

static const struct function {
    const char *name;
    unsigned kind;
    unsigned arguments;
} functions[] = {
    {"malloc", HM_TRACE_MALLOC, 1},
    {"calloc", HM_TRACE_CALLOC, 2},
    {"realloc", HM_TRACE_REALLOC, 2},
    {"reallocarray", HM_TRACE_REALLOCARRAY, 3},
    {"aligned_alloc", HM_TRACE_ALIGNED_ALLOC, 2},
    {"memalign", HM_TRACE_MEMALIGN, 2},
    {"valloc", HM_TRACE_VALLOC, 1},
    {"pvalloc", HM_TRACE_PVALLOC, 1},
    {"posix_memalign", DROPPED, 0},
    {"free", HM_TRACE_FREE, 1},
    {"cfree", HM_TRACE_FREE, 1},
    {"malloc_usable_size", HM_TRACE_USABLE, 1},
    {"_Znwm", HM_TRACE_MALLOC, 1}, /* operator new and its kin */
    {"_Znam", HM_TRACE_MALLOC, 1},
    {"_ZdlPv", HM_TRACE_FREE, 1},
    {"_ZdaPv", HM_TRACE_FREE, 1},
    {"_ZdlPvm", HM_TRACE_FREE, 1},
    {"_ZdaPvm", HM_TRACE_FREE, 1},
};

static const struct function other = {"", UNKNOWN, 0};

#define REFUSE(import, ...) return hm_fail((import)->error, EINVAL, __VA_ARGS__)

static int begin(struct hm_import *import) {
    import->state = calloc(1, sizeof(struct state));
    return import->state ? 0 : ENOMEM;
}

static void close_state(struct hm_import *import) {
    struct state *state = import->state;
    if (!state)
        return;
    hm_texts_free(&state->pids);
    free(state->threads);
    free(state);
}

static const struct function *function_of(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strncmp(functions[i].name, name, length) == 0 && !functions[i].name[length])
            return &functions[i];
    return &other;
}

/* ---- Threads ---- */

/* Takes "[pid N] " or "N " off the line. */
static int take_thread(struct hm_import *import, char **line, uint32_t *thread) {
    struct state *state = import->state;
    char *text = *line;
    bool has_bracket = strncmp(text, "[pid ", 5) == 0;
    text += has_bracket ? 5 : 0;
    size_t length = strspn(text, "0123456789");
    size_t behind = length + has_bracket;
    bool has_pid = length && (!has_bracket || text[length] == ']') && text[behind] == ' ';
    if (has_bracket && !has_pid)
        REFUSE(import, "no pid");
    if (has_pid) {
        *line = text + behind + 1;
        text[length] = '\0';
    }
    *thread = hm_texts_add(&state->pids, has_pid ? text : "");
    if (*thread == HM_TEXT_NONE)
        return hm_fail(import->error, ENOMEM, "out of memory");
    if (*thread >= THREADS_MAX)
        REFUSE(import, "more than %d threads", THREADS_MAX);
    if (*thread < state->room)
        return 0;
    size_t room = state->room ? 2 * state->room : 16;
    struct pending *wider = reallocarray(state->threads, room, sizeof *wider);
    if (!wider)
        return hm_fail(import->error, ENOMEM, "out of memory");
    memset(wider + state->room, 0, (room - state->room) * sizeof *wider);
    state->threads = wider;
    state->room = room;
    return 0;
}

/* ---- Calls ---- */

static int read_arguments(struct hm_import *import, const char *text, unsigned count,
                          uint64_t arguments[ARGUMENTS_MAX]) {
    for (unsigned i = 0; i < count; i++) {
        const char *end;
        bool is_nil = strncmp(text, "nil", 3) == 0;
        arguments[i] = 0;
        if (!is_nil && hm_import_number(text, &arguments[i], &end))
            REFUSE(import, "an argument that is no number");
        text = is_nil ? text + 3 : end;
        if (i + 1 < count && strncmp(text, ", ", 2) != 0)
            REFUSE(import, "an argument is missing");
        text += i + 1 < count ? 2 : 0;
    }
    return 0;
}

/* @return 0; EINVAL: a result is missing */
static int read_result(const char *line, uint64_t *result) {
    const char *equals = NULL;
    const char *end;
    for (const char *at = line; (at = strstr(at, " = ")); at += 3)
        equals = at;
    if (!equals)
        return EINVAL;
    *result = 0;
    if (strcmp(equals + 3, "<void>") == 0 || strcmp(equals + 3, "nil") == 0)
        return 0;
    return hm_import_number(equals + 3, result, &end) || *end ? EINVAL : 0;
}

static int add_realloc(struct hm_import *import, struct hm_trace_event *e, uint64_t from,
                       uint64_t to) {
    bool is_free = from && !to && (e->count == 0 || e->size == 0);
    if (!is_free)
        return hm_import_realloc(import, e, from, to);
    *e = (struct hm_trace_event){.kind = HM_TRACE_FREE, .thread = e->thread, .count = 1};
    return hm_import_free(import, e, from);
}

/* A call that has ended, or a free that has begun. */
static int add_call(struct hm_import *import, const struct pending *call, uint32_t thread,
                    uint64_t result) {
    struct hm_trace_event e = {.kind = (uint8_t)call->kind, .thread = thread, .count = 1};
    const uint64_t *a = call->arguments;
    switch (call->kind) {
    case HM_TRACE_FREE:
    case HM_TRACE_USABLE:
        return hm_import_free(import, &e, a[0]);
    case HM_TRACE_REALLOC:
        e.size = a[1];
        return add_realloc(import, &e, a[0], result);
    case HM_TRACE_REALLOCARRAY:
        e.count = a[1];
        e.size = a[2];
        return add_realloc(import, &e, a[0], result);
    case HM_TRACE_CALLOC:
        e.count = a[0];
        e.size = a[1];
        break;
    case HM_TRACE_ALIGNED_ALLOC:
    case HM_TRACE_MEMALIGN:
        e.alignment_log2 = (uint8_t)(a[0] ? __builtin_ctzll(a[0]) : 0);
        e.size = a[1];
        break;
    case DROPPED:
        import->dropped += result == 0;
        return 0;
    default:
        e.size = a[0];
    }
    return hm_import_allocation(import, &e, result);
}

/* ---- Lines ---- */

/* "<... NAME resumed> ) = RESULT" */
static int take_resumed(struct hm_import *import, const char *line, uint32_t thread) {
    struct pending *p = &((struct state *)import->state)->threads[thread];
    const char *name = line + strlen("<... ");
    const char *end = strstr(name, " resumed");
    uint64_t result;
    if (!end)
        REFUSE(import, "no line of ltrace");
    if (function_of(name, (size_t)(end - name))->kind == UNKNOWN || !p->depth)
        return 0;
    if (--p->depth)
        return 0;
    if (p->kind == HM_TRACE_FREE)
        return 0;
    if (read_result(line, &result))
        REFUSE(import, "a call without its result");
    return add_call(import, p, thread, result);
}

/* "LIBRARY->NAME(ARGUMENTS" with " <unfinished ...>" or ") = RESULT" */
static int take_call(struct hm_import *import, const char *line, uint32_t thread) {
    struct pending *p = &((struct state *)import->state)->threads[thread];
    const char *open = strchr(line, '(');
    const char *name = line;
    uint64_t result = 0;
    if (!open)
        REFUSE(import, "no line of ltrace");
    for (const char *at = line; (at = strstr(at, "->")) && at < open; at += 2)
        name = at + 2;
    const struct function *f = function_of(name, strcspn(name, "@("));
    bool is_unfinished = strstr(open, "<unfinished ...>") != NULL;
    if (f->kind == UNKNOWN)
        return 0;
    if (p->depth) {
        p->depth += is_unfinished;
        return 0;
    }
    p->kind = f->kind;
    int bad = read_arguments(import, open + 1, f->arguments, p->arguments);
    if (bad)
        return bad;
    p->depth = is_unfinished;
    if (is_unfinished && p->kind != HM_TRACE_FREE)
        return 0;
    if (!is_unfinished && strstr(open, "<no return ...>"))
        return 0;
    if (!is_unfinished && read_result(line, &result))
        REFUSE(import, "a call without its result");
    return add_call(import, p, thread, result);
}

static int take(struct hm_import *import, char *line) {
    uint32_t thread;
    if (!*line)
        return 0;
    int bad = take_thread(import, &line, &thread);
    if (bad)
        return bad;
    if (strncmp(line, "--- ", 4) == 0 || strncmp(line, "+++ ", 4) == 0)
        return 0;
    if (strncmp(line, "<... ", 5) == 0)
        return take_resumed(import, line, thread);
    return take_call(import, line, thread);
}

static const struct hm_trace_source ltrace = {.name = "ltrace",
                                              .summary = "ltrace's text",
                                              .begin = begin,
                                              .take = take,
                                              .close = close_state};
HM_REGISTER(hm_trace_source, ltrace);
