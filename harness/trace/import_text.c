/* The text of `heapmark trace dump`: see dump.h. */
#include "harness/trace/dump.h"
#include "harness/trace/import.h"
#include "traces/format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORDS_MAX = 16, /* of an event */
};

struct state {
    bool began; /* the first line was read */
    uint32_t modules, stacks;
    bool ended;     /* the last line, too */
    char *texts[4]; /* of the facts */
    struct hm_trace_address frames[HM_TRACE_FRAMES_MAX];
};

#define REFUSE(import, ...) return hm_fail((import)->error, EINVAL, __VA_ARGS__)

static int begin(struct hm_import *import) {
    import->state = calloc(1, sizeof(struct state));
    return import->state ? 0 : ENOMEM;
}

static void close_state(struct hm_import *import) {
    struct state *state = import->state;
    for (size_t i = 0; state && i < sizeof state->texts / sizeof *state->texts; i++)
        free(state->texts[i]);
    free(state);
}

static bool is_number(const char *word, uint64_t *number) {
    const char *end;
    return hm_import_number(word, number, &end) == 0 && !*end;
}

/* ---- Texts ---- */

static int digit_of(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \xhh and \\ become bytes, in place. @return false: something else follows on a \, or a zero byte */
static bool unescape(char *text) {
    char *out = text;
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && at[1] == 'x' && digit_of(at[2]) >= 0 && digit_of(at[3]) >= 0) {
            *out = (char)(digit_of(at[2]) * 16 + digit_of(at[3]));
            if (!*out++)
                return false;
            at += 3;
        } else if (*at != '\\' || at[1] == '\\') {
            *out++ = *at;
            at += *at == '\\';
        } else {
            return false;
        }
    }
    *out = '\0';
    return true;
}

/* ---- Lines that are no events ---- */

static int take_fact_number(struct hm_import *import, const char *name, const char *text) {
    struct hm_trace_facts *f = &import->facts;
    bool is_negative = *text == '-';
    uint64_t number;
    if (!is_number(text + is_negative, &number) || (is_negative && strcmp(name, "started") != 0))
        REFUSE(import, "%s is no number", name);
    if (strcmp(name, "pid") == 0)
        f->pid = number;
    else if (strcmp(name, "page") == 0)
        f->page_bytes = number;
    else if (strcmp(name, "started") == 0)
        f->started_utc = (int64_t)(is_negative ? 0 - number : number);
    else if (number > 1)
        REFUSE(import, "%s must be 0 or 1", name);
    else if (strcmp(name, "times") == 0)
        f->has_times = number;
    else
        f->has_stacks = number;
    return 0;
}

/* @return 0; ENOENT: it is no fact */
static int take_fact(struct hm_import *import, const char *name, char *text) {
    struct hm_trace_facts *f = &import->facts;
    const struct {
        const char *name;
        const char **text; /* NULL: a number */
    } facts[] = {          /* the four of state->texts */
                 {"program", &f->program},
                 {"command", &f->command},
                 {"recorder", &f->recorder},
                 {"machine", &f->machine},
                 {"pid", NULL},
                 {"started", NULL},
                 {"page", NULL},
                 {"times", NULL},
                 {"stacks", NULL}};
    size_t i = 0;
    while (i < sizeof facts / sizeof *facts && strcmp(facts[i].name, name) != 0)
        i++;
    if (i == sizeof facts / sizeof *facts)
        return ENOENT;
    if (import->writer)
        REFUSE(import, "%s stands behind the first event, module or stack", name);
    if (!facts[i].text)
        return take_fact_number(import, name, text);
    if (!unescape(text))
        REFUSE(import, "%s has a \\ with nothing that it means", name);
    char *copy = strndup(text, HM_TRACE_TEXT_MAX);
    if (!copy)
        return hm_fail(import->error, ENOMEM, "out of memory");
    char **kept = &((struct state *)import->state)->texts[i];
    free(*kept);
    *facts[i].text = *kept = copy;
    return 0;
}

static int take_module(struct hm_import *import, char *text) {
    struct state *state = import->state;
    char *number_word = strsep(&text, " ");
    char *build_id = strsep(&text, " ");
    uint64_t number;
    if (!text || !is_number(number_word, &number) || number != state->modules)
        REFUSE(import, "no module, or not the next");
    if (!unescape(build_id) || !unescape(text))
        REFUSE(import, "a module has a \\ with nothing that it means");
    int bad = hm_import_writer(import);
    if (bad)
        return bad;
    uint32_t got =
        hm_trace_add_module(import->writer, text, strcmp(build_id, "-") == 0 ? "" : build_id);
    if (got != state->modules)
        REFUSE(import, "no room for another module");
    state->modules++;
    return 0;
}

/* MODULE+OFFSET */
static bool read_frame(const struct state *state, char *word, struct hm_trace_address *frame) {
    uint64_t module = UINT32_MAX;
    char *end;
    char *offset = strchr(word, '+');
    if (!offset || digit_of(offset[1]) < 0)
        return false;
    *offset++ = '\0';
    if (strcmp(word, "-") != 0 && (!is_number(word, &module) || module >= state->modules))
        return false;
    errno = 0;
    frame->offset = strtoull(offset, &end, 16);
    frame->module = (uint32_t)module;
    return !errno && !*end;
}

static int take_stack(struct hm_import *import, char *text) {
    struct state *state = import->state;
    uint64_t number;
    size_t count = 0;
    if (!is_number(strsep(&text, " "), &number) || number != state->stacks + UINT64_C(1))
        REFUSE(import, "no stack, or not the next");
    for (char *word; (word = strsep(&text, " ")); count++)
        if (count == HM_TRACE_FRAMES_MAX || !read_frame(state, word, &state->frames[count]))
            REFUSE(import, "a frame of a stack that can not be");
    int bad = hm_import_writer(import);
    if (bad)
        return bad;
    if (!hm_trace_add_stack(import->writer, state->frames, count))
        REFUSE(import, "no room for another stack");
    state->stacks++;
    return 0;
}

static int take_end(struct hm_import *import, char *text) {
    static const char *const ends[] = {"exit", "signal", "exec", "unknown"};
    struct state *state = import->state;
    const char *how = strsep(&text, " ");
    uint64_t number;
    size_t end = 0;
    while (end < 4 && strcmp(ends[end], how) != 0)
        end++;
    bool is_negative = text && *text == '-';
    if (end == 4 || !text || !is_number(text + is_negative, &number) || number > INT32_MAX)
        REFUSE(import, "no end of a process");
    import->end = (enum hm_trace_end)end;
    import->status = is_negative ? -(int)number : (int)number;
    state->ended = true;
    return 0;
}

/* @return 0; ENOENT: it is an event */
static int take_other(struct hm_import *import, char *line) {
    char *text = strchr(line, ' ');
    if (!text || (*line >= '0' && *line <= '9'))
        return ENOENT;
    *text++ = '\0';
    if (strcmp(line, "module") == 0)
        return take_module(import, text);
    if (strcmp(line, "stack") == 0)
        return take_stack(import, text);
    if (strcmp(line, "end") == 0)
        return take_end(import, text);
    if (strcmp(line, "dropped") == 0)
        return is_number(text, &import->dropped)
                   ? 0
                   : hm_fail(import->error, EINVAL, "dropped is no number");
    int bad = take_fact(import, line, text);
    return bad == ENOENT ? hm_fail(import->error, EINVAL, "nothing begins with '%.20s'", line)
                         : bad;
}

/* ---- Events ---- */

/* The words of an event's line, behind the call. */
struct words {
    char *at[WORDS_MAX];
    size_t count, next;
};

static const char *next_word(struct words *w) {
    return w->next < w->count ? w->at[w->next++] : "";
}

static bool read_block(struct words *w, uint64_t *block) {
    const char *word = next_word(w);
    *block = strcmp(word, "foreign") == 0 ? HM_TRACE_FOREIGN : HM_TRACE_NULL;
    return *block || strcmp(word, "NULL") == 0 ||
           (is_number(word, block) && *block != HM_TRACE_NULL && *block != HM_TRACE_FOREIGN);
}

static bool read_alignment(struct words *w, uint8_t *log2) {
    uint64_t alignment;
    if (!is_number(next_word(w), &alignment) || (alignment & (alignment - 1)) || alignment == 1)
        return false;
    *log2 = (uint8_t)(alignment ? __builtin_ctzll(alignment) : 0);
    return true;
}

/* `= BLOCK` or `= failed`, @TIME, #STACK. */
static bool read_rest(struct words *w, struct hm_trace_event *e) {
    bool is_allocation = hm_trace_is_allocation(e->kind);
    bool has_result = w->next < w->count && strcmp(w->at[w->next], "=") == 0;
    uint64_t number;
    if (has_result) {
        w->next++;
        const char *word = next_word(w);
        e->failed = strcmp(word, "failed") == 0;
        if (!e->failed && (!is_allocation || !is_number(word, &e->block)))
            return false;
    } else if (is_allocation) {
        return false;
    }
    if (w->next < w->count && w->at[w->next][0] == '@' &&
        !is_number(w->at[w->next++] + 1, &e->time_ns))
        return false;
    if (w->next < w->count && w->at[w->next][0] == '#') {
        if (!is_number(w->at[w->next++] + 1, &number) || number > UINT32_MAX)
            return false;
        e->stack = (uint32_t)number;
    }
    return w->next == w->count;
}

static bool read_event(struct words *w, struct hm_trace_event *e) {
    uint64_t thread;
    if (!is_number(next_word(w), &thread) || thread > UINT32_MAX)
        return false;
    const char *call = next_word(w);
    while (e->kind < HM_TRACE_KINDS && strcmp(hm_trace_kind_names[e->kind], call) != 0)
        e->kind++;
    if (e->kind == HM_TRACE_KINDS)
        return false;
    e->thread = (uint32_t)thread;
    unsigned fields = hm_trace_fields(e->kind);
    return !((fields & HM_TRACE_FIELD_REF && !read_block(w, &e->block)) ||
             (fields & HM_TRACE_FIELD_ALIGNMENT && !read_alignment(w, &e->alignment_log2)) ||
             (fields & HM_TRACE_FIELD_COUNT && !is_number(next_word(w), &e->count)) ||
             (fields & HM_TRACE_FIELD_SIZE && !is_number(next_word(w), &e->size))) &&
           read_rest(w, e);
}

static int take_event(struct hm_import *import, char *line) {
    struct words w = {.count = 0};
    struct hm_trace_event event = {.count = 1};
    for (char *word; w.count < WORDS_MAX && (word = strsep(&line, " "));)
        w.at[w.count++] = word;
    if (line || !read_event(&w, &event))
        REFUSE(import, "no event");
    return hm_import_event(import, &event);
}

static int take(struct hm_import *import, char *line) {
    struct state *state = import->state;
    if (!state->began) {
        if (strcmp(line, HM_DUMP_FIRST_LINE) != 0)
            REFUSE(import, "the first line is not '" HM_DUMP_FIRST_LINE "'");
        state->began = true;
        return 0;
    }
    if (!*line || *line == '#')
        return 0;
    if (state->ended)
        REFUSE(import, "there is more behind the end");
    int bad = take_other(import, line);
    return bad == ENOENT ? take_event(import, line) : bad;
}

static int end(struct hm_import *import) {
    const struct state *state = import->state;
    return state->ended ? 0
                        : hm_fail(import->error, EINVAL, "it has no line 'end': it was cut off");
}

static const struct hm_trace_source text = {.name = "text",
                                            .summary = "what 'heapmark trace dump' prints",
                                            .begin = begin,
                                            .take = take,
                                            .end = end,
                                            .close = close_state};
HM_REGISTER(hm_trace_source, text);
