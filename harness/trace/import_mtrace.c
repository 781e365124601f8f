/* What glibc writes to the file that MALLOC_TRACE names, between mtrace() and muntrace().
 *
 *   @ PLACE + ADDRESS SIZE    an allocation, of any kind; (nil) for one that failed
 *   @ PLACE - ADDRESS         a free
 *   @ PLACE < ADDRESS         a reallocation: of what; the next line says
 *   @ PLACE > ADDRESS SIZE    .. what came of it
 *   @ PLACE ! ADDRESS SIZE    a reallocation that failed
 *
 * `@ PLACE` may be missing. A place is MODULE:[OFFSET] or MODULE:(SYMBOL+0x1)[OFFSET] or [ADDRESS]; it
 * becomes a stack of one frame. There are no threads, and no alignments. */
#include "harness/trace/import.h"
#include "harness/trace/texts.h"

#include <stdlib.h>
#include <string.h>

struct state {
    struct hm_texts places;  /* their numbers are those of the stacks, less one */
    struct hm_texts modules; /* theirs are the trace's */
    uint64_t reallocated;    /* address of a `<` line; 0: none is waiting */
};

static int begin(struct hm_import *import) {
    import->facts.has_stacks = true;
    import->state = calloc(1, sizeof(struct state));
    return import->state ? 0 : ENOMEM;
}

static void close_state(struct hm_import *import) {
    struct state *state = import->state;
    if (!state)
        return;
    hm_texts_free(&state->places);
    hm_texts_free(&state->modules);
    free(state);
}

static int out_of_room(struct hm_import *import) {
    return hm_fail(import->error, ENOMEM, "no room for more places");
}

/* ---- Places ---- */

/* @param place is changed */
static int new_place(struct hm_import *import, char *place) {
    struct state *state = import->state;
    struct hm_trace_address frame = {.module = UINT32_MAX};
    char *bracket = strrchr(place, '[');
    const char *end;
    if (!bracket || hm_import_number(bracket + 1, &frame.offset, &end) || strcmp(end, "]") != 0)
        return hm_fail(import->error, EINVAL, "a place that does not end with [address]");
    *bracket = '\0';
    char *colon = strstr(place, ":("); /* a symbol may have colons of its own */
    if (!colon && bracket > place && bracket[-1] == ':')
        colon = bracket - 1;
    if (colon) {
        *colon = '\0';
        size_t known = state->modules.count;
        frame.module = hm_texts_add(&state->modules, place);
        if (frame.module == HM_TEXT_NONE ||
            (frame.module == known &&
             hm_trace_add_module(import->writer, place, "") != frame.module))
            return out_of_room(import);
    }
    return hm_trace_add_stack(import->writer, &frame, 1) ? 0 : out_of_room(import);
}

static int stack_of(struct hm_import *import, char *place, uint32_t *stack) {
    struct state *state = import->state;
    size_t known = state->places.count;
    int bad = hm_import_writer(import);
    if (bad)
        return bad;
    uint32_t number = hm_texts_add(&state->places, place);
    if (number == HM_TEXT_NONE)
        return out_of_room(import);
    *stack = number + 1;
    return number == known ? new_place(import, place) : 0;
}

/* ---- Lines ---- */

struct call {
    char what;
    uint64_t address, size;
    bool has_size;
};

static int read_call(struct hm_import *import, const char *text, struct call *call) {
    const char *end = text;
    *call = (struct call){.what = text[0]};
    if (!call->what || !strchr("+-<>!", call->what) || text[1] != ' ' ||
        hm_import_number(text + 2, &call->address, &end))
        return hm_fail(import->error, EINVAL, "no line of mtrace");
    call->has_size = *end == ' ' && hm_import_number(end + 1, &call->size, &end) == 0;
    if (*end || call->has_size != (strchr("+>!", call->what) != NULL))
        return hm_fail(import->error, EINVAL, "no line of mtrace");
    return 0;
}

static int take_call(struct hm_import *import, const struct call *call, uint32_t stack) {
    struct state *state = import->state;
    struct hm_trace_event event = {.stack = stack, .count = 1, .size = call->size};
    if ((call->what == '>') != (state->reallocated != 0))
        return hm_fail(import->error, EINVAL, "a reallocation has both a < line and a > line");
    uint64_t from = state->reallocated;
    state->reallocated = 0;
    switch (call->what) {
    case '+':
        event.kind = HM_TRACE_MALLOC;
        return hm_import_allocation(import, &event, call->address);
    case '-':
        event.kind = HM_TRACE_FREE;
        return hm_import_free(import, &event, call->address);
    case '<':
        state->reallocated = call->address;
        return call->address ? 0 : hm_fail(import->error, EINVAL, "a reallocation of nothing");
    case '>':
        event.kind = HM_TRACE_REALLOC;
        return hm_import_realloc(import, &event, from, call->address);
    default:
        event.kind = HM_TRACE_REALLOC;
        return hm_import_realloc(import, &event, call->address, 0);
    }
}

static int take(struct hm_import *import, char *line) {
    struct call call;
    uint32_t stack = 0;
    char *text = line;
    if (strcmp(line, "= Start") == 0 || strcmp(line, "= End") == 0 || !*line)
        return 0;
    if (strncmp(line, "@ ", 2) == 0) {
        /* a path may have blanks; what follows on the place has one or two */
        text = strstr(line, "] ");
        for (char *more = text; more && (more = strstr(more + 1, "] "));)
            text = more;
        if (!text)
            return hm_fail(import->error, EINVAL, "a place that does not end with [address]");
        text[1] = '\0';
        text += 2;
    }
    int bad = read_call(import, text, &call);
    if (!bad && text != line)
        bad = stack_of(import, line + 2, &stack);
    return bad ? bad : take_call(import, &call, stack);
}

static int end(struct hm_import *import) {
    const struct state *state = import->state;
    return state->reallocated ? hm_fail(import->error, EINVAL, "it ends within a reallocation") : 0;
}

static const struct hm_trace_source mtrace = {.name = "mtrace",
                                              .summary = "glibc's MALLOC_TRACE",
                                              .begin = begin,
                                              .take = take,
                                              .end = end,
                                              .close = close_state};
HM_REGISTER(hm_trace_source, mtrace);
