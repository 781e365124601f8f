/* What a reader knows by number. */
#include "traces/tables.h"
#include "traces/pages.h"
#include "traces/varint.h"

#include <string.h>

enum {
    CHUNK_BYTES = 1 << 20, /* any block's texts fit */
    ARRAY_BYTES = 64 << 10,
};

static const char no_memory[] = "there is no memory for its tables";
static const char not_number[] = "a number of a table can not be";

struct hm_tables_texts {
    struct hm_tables_texts *before;
    size_t used;
    char bytes[CHUNK_BYTES - 16];
};

struct module {
    const char *path, *build_id;
};

struct frame {
    uint64_t offset;
    uint32_t module; /* from 1; 0: none */
};

struct stack {
    uint32_t first; /* of its frames */
    uint32_t count;
};

/* A place in a block; behind `end` are zeroes. */
struct cursor {
    const uint8_t *at, *end;
};

void hm_tables_close(struct hm_tables *tables) {
    while (tables->texts) {
        struct hm_tables_texts *before = tables->texts->before;
        hm_pages_give(tables->texts, sizeof *tables->texts);
        tables->texts = before;
    }
    hm_pages_give(tables->modules.items, tables->modules.bytes);
    hm_pages_give(tables->stacks.items, tables->stacks.bytes);
    hm_pages_give(tables->frames.items, tables->frames.bytes);
    *tables = (struct hm_tables){0};
}

/* Room for so many bytes of items. */
static bool reserve(struct hm_tables_array *array, size_t bytes) {
    size_t wider = array->bytes ? array->bytes : ARRAY_BYTES;
    while (wider < bytes)
        wider *= 2;
    if (wider == array->bytes)
        return true;
    void *items = hm_pages_resize(array->items, array->bytes, wider);
    if (!items)
        return false;
    *array = (struct hm_tables_array){items, wider};
    return true;
}

/* Room for the texts of one block, their ends included. */
static bool reserve_texts(struct hm_tables *tables, size_t bytes) {
    if (tables->texts && tables->texts->used + bytes <= sizeof tables->texts->bytes)
        return true;
    struct hm_tables_texts *fresh = hm_pages_get(sizeof *fresh);
    if (!fresh)
        return false;
    fresh->before = tables->texts;
    tables->texts = fresh;
    return true;
}

/* ---- What a table says ---- */

static bool get_number(struct cursor *c, uint64_t *number) {
    c->at = c->at < c->end ? hm_varint_get(c->at, number) : NULL;
    if (!c->at || c->at > c->end)
        c->at = c->end = NULL;
    return c->at;
}

/* A length, and so many bytes, none of them zero. */
static bool get_text(struct hm_tables *tables, struct cursor *c, size_t most, const char **text) {
    uint64_t length;
    if (!get_number(c, &length) || length > most || length > (uint64_t)(c->end - c->at) ||
        memchr(c->at, 0, length))
        return false;
    char *out = tables->texts->bytes + tables->texts->used;
    memcpy(out, c->at, length);
    out[length] = '\0';
    tables->texts->used += length + 1;
    c->at += length;
    *text = out;
    return true;
}

const char *hm_tables_take_facts(struct hm_tables *tables, const uint8_t *raw, size_t bytes,
                                 struct hm_trace_facts *facts) {
    struct cursor c = {raw, raw + bytes};
    uint64_t flags;
    uint64_t started;
    if (!reserve_texts(tables, bytes + 4))
        return no_memory;
    if (!get_number(&c, &flags) || flags > (HM_TRACE_FLAG_TIMES | HM_TRACE_FLAG_STACKS) ||
        !get_number(&c, &facts->pid) || !get_number(&c, &started) ||
        !get_number(&c, &facts->page_bytes) ||
        !get_text(tables, &c, HM_TRACE_TEXT_MAX, &facts->program) ||
        !get_text(tables, &c, HM_TRACE_TEXT_MAX, &facts->command) ||
        !get_text(tables, &c, HM_TRACE_TEXT_MAX, &facts->recorder) ||
        !get_text(tables, &c, HM_TRACE_TEXT_MAX, &facts->machine) || c.at != c.end)
        return "its facts can not be read";
    facts->has_times = flags & HM_TRACE_FLAG_TIMES;
    facts->has_stacks = flags & HM_TRACE_FLAG_STACKS;
    facts->started_utc = hm_varint_unfold(started);
    return NULL;
}

static const char *take_module(struct hm_tables *tables, struct cursor *c) {
    struct module *module = (struct module *)tables->modules.items + tables->module_count;
    if (!get_text(tables, c, HM_TRACE_PATH_MAX, &module->path) ||
        !get_text(tables, c, HM_TRACE_BUILD_ID_MAX, &module->build_id))
        return "a module can not be read";
    tables->module_count++;
    return NULL;
}

static const char *take_modules(struct hm_tables *tables, size_t entries, struct cursor *c) {
    const char *why = NULL;
    if (entries > HM_TRACE_MODULES_MAX - tables->module_count)
        return "more modules than are believed";
    if (!reserve(&tables->modules, (tables->module_count + entries) * sizeof(struct module)) ||
        !reserve_texts(tables, (size_t)(c->end - c->at) + 2 * entries))
        return no_memory;
    while (!why && entries--)
        why = take_module(tables, c);
    return why;
}

static const char *take_stack(struct hm_tables *tables, struct cursor *c) {
    uint64_t count;
    if (!get_number(c, &count) || count > HM_TRACE_FRAMES_MAX)
        return "a stack can not be read";
    if (count > HM_TRACE_ALL_FRAMES_MAX - tables->frame_count)
        return "more frames of stacks than are believed";
    if (!reserve(&tables->frames, (tables->frame_count + count) * sizeof(struct frame)))
        return no_memory;
    struct frame *frames = (struct frame *)tables->frames.items + tables->frame_count;
    for (size_t i = 0; i < count; i++) {
        uint64_t module;
        if (!get_number(c, &module) || !get_number(c, &frames[i].offset))
            return not_number;
        if (module > tables->module_count)
            return "a stack is in a module that is not known";
        frames[i].module = (uint32_t)module;
    }
    struct stack *stack = (struct stack *)tables->stacks.items + tables->stack_count++;
    *stack = (struct stack){(uint32_t)tables->frame_count, (uint32_t)count};
    tables->frame_count += count;
    return NULL;
}

static const char *take_stacks(struct hm_tables *tables, size_t entries, struct cursor *c) {
    const char *why = NULL;
    if (entries > HM_TRACE_STACKS_MAX - tables->stack_count)
        return "more stacks than are believed";
    if (!reserve(&tables->stacks, (tables->stack_count + entries) * sizeof(struct stack)))
        return no_memory;
    while (!why && entries--)
        why = take_stack(tables, c);
    return why;
}

const char *hm_tables_take(struct hm_tables *tables, const struct hm_frame *frame,
                           const uint8_t *raw) {
    struct cursor c = {raw, raw + frame->raw_bytes};
    if (frame->offset < tables->taken)
        return NULL;
    const char *why = frame->type == HM_TRACE_BLOCK_MODULES
                          ? take_modules(tables, frame->entries, &c)
                          : take_stacks(tables, frame->entries, &c);
    if (!why && c.at != c.end)
        why = "a table has bytes left over";
    if (!why)
        tables->taken = frame->offset + 1;
    return why;
}

size_t hm_tables_stack(const struct hm_tables *tables, uint32_t stack,
                       struct hm_trace_frame *frames, size_t room) {
    if (!stack || stack > tables->stack_count)
        return 0;
    const struct stack *s = (const struct stack *)tables->stacks.items + (stack - 1);
    const struct frame *f = (const struct frame *)tables->frames.items + s->first;
    for (size_t i = 0; i < s->count && i < room; i++) {
        struct module none = {"", ""};
        const struct module *m =
            f[i].module ? (const struct module *)tables->modules.items + (f[i].module - 1) : &none;
        frames[i] = (struct hm_trace_frame){m->path, m->build_id, f[i].offset};
    }
    return s->count;
}
