/* The properties that the build has linked in, and what they end and report with. */
#include "harness/verify_gc/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct hm_gc_property *const __start_hm_gc_property_parts[];
extern const struct hm_gc_property *const __stop_hm_gc_property_parts[];

static int by_point(const void *a, const void *b) {
    const struct hm_gc_property *left = *(const struct hm_gc_property *const *)a;
    const struct hm_gc_property *right = *(const struct hm_gc_property *const *)b;
    if (left->point != right->point)
        return left->point < right->point ? -1 : 1;
    return strcmp(left->name, right->name);
}

size_t hm_gc_properties(const struct hm_gc_property **out, size_t room) {
    size_t count = (size_t)(__stop_hm_gc_property_parts - __start_hm_gc_property_parts);
    size_t taken = count < room ? count : room;
    memcpy(out, __start_hm_gc_property_parts, taken * sizeof *out);
    qsort(out, taken, sizeof *out, by_point);
    return taken;
}

uint64_t hm_check_effort(const struct hm_check *c, uint64_t per, uint64_t least, uint64_t most) {
    uint64_t effort = c->effort / per;
    return effort < least ? least : effort > most ? most : effort;
}

bool hm_check_can(const struct hm_check *c, unsigned cap) {
    return c->collector->caps & cap;
}

const struct hm_gc_control *hm_check_control(const struct hm_check *c) {
    static const struct hm_gc_control nothing;
    return c->collector->control ? c->collector->control : &nothing;
}

void hm_check_at(struct hm_check *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->board->at, sizeof c->board->at, format, args);
    va_end(args);
    hm_check_progress(c, 1);
}

void hm_check_progress(struct hm_check *c, uint64_t ops) {
    __atomic_fetch_add(&c->board->ops, ops, __ATOMIC_RELAXED);
}

void hm_check_note(struct hm_check *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->board->line, sizeof c->board->line, format, args);
    va_end(args);
}

__attribute__((noreturn)) static void end_with(struct hm_check *c, enum hm_conform verdict) {
    c->board->verdict = (int)verdict;
    __atomic_store_n(&c->board->ended, 1, __ATOMIC_RELEASE);
    _exit(0);
}

void hm_check_fail(struct hm_check *c, const char *format, ...) {
    struct hm_check_board *b = c->board;
    int used = snprintf(b->line, sizeof b->line, "%s%s", b->at, b->at[0] ? ": " : "");
    va_list args;
    va_start(args, format);
    vsnprintf(b->line + used, sizeof b->line - (size_t)used, format, args);
    va_end(args);
    end_with(c, HM_CONFORM_FAILED);
}

void hm_check_unsupported(struct hm_check *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->board->line, sizeof c->board->line, format, args);
    va_end(args);
    end_with(c, HM_CONFORM_UNSUPPORTED);
}

void hm_check_need(struct hm_check *c, unsigned cap, const char *what) {
    if (!hm_check_can(c, cap))
        hm_check_unsupported(c, "no %s", what);
}
