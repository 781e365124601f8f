/* Sites by number and name. What a stack's name is, is found once for each stack. */
#include "harness/trace/groups.h"
#include "harness/trace/text.h"
#include "harness/trace/texts.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAMES_MAX = 256,
    SIZES_KNOWN = 8192, /* sizes and threads below it are looked up in an array */
};

const char *const hm_by_names[HM_BYS] = {
    [HM_BY_SITE] = "site",     [HM_BY_STACK] = "stack", [HM_BY_FUNCTION] = "function",
    [HM_BY_MODULE] = "module", [HM_BY_SIZE] = "size",   [HM_BY_THREAD] = "thread",
};

struct hm_groups {
    enum hm_by by;
    bool with_lines;
    char *skip; /* patterns, each with a NUL behind it; an empty one ends them */
    struct hm_symbols *symbols;
    struct hm_texts names;
    struct hm_texts frames; /* as they are in the names of stacks */
    const char **modules;   /* of each of these */
    size_t module_room;
    uint32_t *of_stack; /* site + 1; 0: not found yet */
    size_t stacks;
    uint32_t of_number[SIZES_KNOWN]; /* the same, of sizes or threads */
};

/* A frame of a stack as it is looked at: inlined ones are frames too. */
struct frames {
    const struct hm_symbol *at[FRAMES_MAX * 4];
    size_t count;
};

/* ---- Frames ---- */

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* As a part of a stack's name, where a semicolon separates. */
static void put_plain(FILE *out, const char *text) {
    hm_trace_put_text(out, text, ";", SIZE_MAX);
}

static void put_module(FILE *out, const struct hm_symbol *symbol) {
    if (symbol->module[0])
        put_plain(out, base_of(symbol->module));
    else
        fputs("(unknown)", out);
}

static void put_function(FILE *out, const struct hm_symbol *symbol, bool with_line) {
    if (symbol->function[0]) {
        put_plain(out, symbol->function);
        return;
    }
    if (symbol->module[0])
        put_plain(out, base_of(symbol->module));
    fprintf(out, "%s0x%llx", symbol->module[0] ? "+" : "",
            (unsigned long long)(with_line ? symbol->offset : symbol->entry));
}

static void put_frame(FILE *out, const struct hm_symbol *symbol, bool with_line) {
    put_function(out, symbol, with_line);
    if (!with_line || !symbol->function[0])
        return;
    fputc(' ', out);
    if (symbol->line)
        put_plain(out, base_of(symbol->file));
    else
        put_plain(out, base_of(symbol->module));
    if (symbol->line)
        fprintf(out, ":%d", symbol->line);
}

static bool is_skipped(const struct hm_groups *g, const struct hm_symbol *symbol) {
    for (const char *pattern = g->skip; *pattern; pattern += strlen(pattern) + 1)
        if (fnmatch(pattern, symbol->function, 0) == 0)
            return true;
    return false;
}

/* Innermost first, without those to skip at the inner end; but one frame stays. */
static int find_frames(struct hm_groups *g, const struct hm_trace_reader *reader, uint32_t stack,
                       struct frames *out) {
    struct hm_trace_frame frames[FRAMES_MAX];
    size_t count = stack ? hm_trace_stack(reader, stack, frames, FRAMES_MAX) : 0;
    out->count = 0;
    for (size_t i = 0; i < count && i < FRAMES_MAX; i++) {
        const struct hm_symbol *symbols;
        size_t found = hm_symbols_at(g->symbols, &frames[i], &symbols);
        if (!found)
            return ENOMEM;
        for (size_t k = 0; k < found && out->count < sizeof out->at / sizeof *out->at; k++) {
            if (out->count == 1 && is_skipped(g, out->at[0]))
                out->count = 0;
            out->at[out->count++] = &symbols[k];
        }
    }
    return 0;
}

/* ---- Names ---- */

static int keep_frame(struct hm_groups *g, const char *name, const struct hm_symbol *symbol) {
    uint32_t word = hm_texts_add(&g->frames, name);
    if (word == HM_TEXT_NONE)
        return ENOMEM;
    if (word >= g->module_room) {
        size_t room = 2 * (size_t)word + 64;
        const char **modules = reallocarray(g->modules, room, sizeof *modules);
        if (!modules)
            return ENOMEM;
        memset(modules + g->module_room, 0, (room - g->module_room) * sizeof *modules);
        g->modules = modules;
        g->module_room = room;
    }
    if (!g->modules[word])
        g->modules[word] = symbol->module;
    return 0;
}

/* What put_frame() says is kept by itself, and goes into the stack's name. */
static int put_stack(struct hm_groups *g, FILE *out, const struct frames *frames) {
    for (size_t i = frames->count; i-- > 0;) {
        char *text = NULL;
        size_t size = 0;
        FILE *one = open_memstream(&text, &size);
        if (!one)
            return ENOMEM;
        put_frame(one, frames->at[i], g->with_lines);
        int bad = fclose(one) ? ENOMEM : keep_frame(g, text, frames->at[i]);
        if (!bad)
            fprintf(out, "%s%s", text, i ? ";" : "");
        free(text);
        if (bad)
            return bad;
    }
    return 0;
}

static int put_name(struct hm_groups *g, FILE *out, const struct frames *frames) {
    if (!frames->count)
        fputs("(no stack)", out);
    else if (g->by == HM_BY_STACK)
        return put_stack(g, out, frames);
    else if (g->by == HM_BY_MODULE)
        put_module(out, frames->at[0]);
    else
        put_frame(out, frames->at[0], g->by == HM_BY_SITE);
    return 0;
}

static int find_by_stack(struct hm_groups *g, const struct hm_trace_reader *reader, uint32_t stack,
                         uint32_t *site) {
    struct frames frames;
    char *text = NULL;
    size_t size = 0;
    int bad = find_frames(g, reader, stack, &frames);
    FILE *out = bad ? NULL : open_memstream(&text, &size);
    if (!out)
        return ENOMEM;
    bad = put_name(g, out, &frames);
    if (fclose(out))
        bad = ENOMEM;
    if (!bad)
        *site = hm_texts_add(&g->names, text);
    free(text);
    return bad || *site == HM_TEXT_NONE ? ENOMEM : 0;
}

static int grow_stacks(struct hm_groups *g, size_t stack) {
    if (stack < g->stacks)
        return 0;
    size_t stacks = stack + stack / 2 + 64;
    uint32_t *grown = reallocarray(g->of_stack, stacks, sizeof *grown);
    if (!grown)
        return ENOMEM;
    memset(grown + g->stacks, 0, (stacks - g->stacks) * sizeof *grown);
    g->of_stack = grown;
    g->stacks = stacks;
    return 0;
}

static int find_stack(struct hm_groups *g, const struct hm_trace_reader *reader, uint32_t stack,
                      uint32_t *site) {
    int bad = grow_stacks(g, stack);
    if (!bad && !g->of_stack[stack]) {
        bad = find_by_stack(g, reader, stack, site);
        if (!bad)
            g->of_stack[stack] = *site + 1;
    }
    if (!bad)
        *site = g->of_stack[stack] - 1;
    return bad;
}

static int find_number(struct hm_groups *g, uint64_t number, uint32_t *site) {
    char text[32];
    if (number < SIZES_KNOWN && g->of_number[number]) {
        *site = g->of_number[number] - 1;
        return 0;
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    *site = hm_texts_add(&g->names, text);
    if (*site == HM_TEXT_NONE)
        return ENOMEM;
    if (number < SIZES_KNOWN)
        g->of_number[number] = *site + 1;
    return 0;
}

int hm_groups_find(struct hm_groups *g, const struct hm_trace_reader *reader,
                   const struct hm_trace_event *event, uint32_t *site) {
    if (g->by == HM_BY_SIZE)
        return find_number(g, hm_trace_bytes(event), site);
    if (g->by == HM_BY_THREAD)
        return find_number(g, event->thread, site);
    return find_stack(g, reader, event->stack, site);
}

const char *hm_groups_name(const struct hm_groups *g, uint32_t site) {
    return hm_texts_text(&g->names, site);
}

size_t hm_groups_count(const struct hm_groups *g) {
    return g->names.count;
}

const char *hm_groups_module(const struct hm_groups *g, const char *frame, size_t length) {
    uint32_t word = hm_texts_find(&g->frames, frame, length);
    return word == HM_TEXT_NONE ? "" : g->modules[word];
}

const struct hm_symbols *hm_groups_symbols(const struct hm_groups *g) {
    return g->symbols;
}

/* ---- The whole ---- */

/* "a,b" as "a\0b\0\0"; empty patterns would end them. */
static char *patterns_of(const char *skip) {
    char *patterns = calloc(1, strlen(skip) + 2);
    char *to = patterns;
    for (const char *from = skip; patterns && *from; from++)
        if (*from != ',')
            *to++ = *from;
        else if (to > patterns && to[-1])
            *to++ = '\0';
    return patterns;
}

struct hm_groups *hm_groups_open(enum hm_by by, bool with_lines, const char *skip) {
    struct hm_groups *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->by = by;
    g->with_lines = with_lines;
    g->skip = patterns_of(skip);
    g->symbols = hm_symbols_open();
    if (g->skip && g->symbols)
        return g;
    hm_groups_close(g);
    return NULL;
}

void hm_groups_close(struct hm_groups *g) {
    if (!g)
        return;
    hm_symbols_close(g->symbols);
    hm_texts_free(&g->names);
    hm_texts_free(&g->frames);
    free(g->modules);
    free(g->of_stack);
    free(g->skip);
    free(g);
}
