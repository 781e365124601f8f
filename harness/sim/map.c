/* Draws a heap as text. */
#include "harness/sim/map.h"

#include <inttypes.h>
#include <string.h>

enum {
    LINES_MAX = 16,
    CELLS_FOR_RUN = 4, /* what a run should have on average, for its name */
    COLUMNS_STEP = 32, /* so that lines begin at round offsets */
    ZOOM = 16,         /* a free end is cut off when this many times larger than the rest */
};

struct picture {
    char cells[LINES_MAX * HM_SIM_WIDTH_MAX];
    uint64_t arena; /* bytes */
    uint64_t drawn; /* bytes of it, from the start */
    uint64_t cell;  /* bytes */
    unsigned columns;
    int digits; /* of the largest offset */
};

static uint64_t end_of(const struct hm_sim_run *run) {
    return run->offset + run->bytes;
}

/* Where the last block ends. */
static uint64_t used_end(const struct hm_sim_run *runs, size_t count) {
    while (count > 0 && !runs[count - 1].used)
        count--;
    return count > 0 ? end_of(&runs[count - 1]) : 0;
}

static void lay_out(struct picture *p, const struct hm_sim_run *runs, size_t count,
                    unsigned width) {
    p->arena = end_of(&runs[count - 1]);
    p->digits = snprintf(NULL, 0, "%" PRIu64, p->arena);
    p->columns = (width - (unsigned)p->digits - 3) / COLUMNS_STEP * COLUMNS_STEP;
    uint64_t end = used_end(runs, count);
    p->drawn = p->arena;
    while (end > 0 && end < p->drawn / ZOOM)
        p->drawn /= 2;
    uint64_t lines = (count * CELLS_FOR_RUN + p->columns - 1) / p->columns;
    if (lines > LINES_MAX)
        lines = LINES_MAX;
    for (p->cell = 1; (p->drawn - 1) / p->cell >= p->columns * lines;)
        p->cell *= 2;
    memset(p->cells, '.', sizeof p->cells);
}

/* The brackets and the name of a block that has the cells from `first` up to `end` for itself. */
static void label(struct picture *p, const char *name, size_t first, size_t end) {
    size_t line_end = (first / p->columns + 1) * p->columns;
    p->cells[first] = '[';
    p->cells[end - 1] = ']';
    size_t room = (end <= line_end ? end - 1 : line_end) - first - 1;
    if (name && strlen(name) <= room)
        memcpy(p->cells + first + 1, name, strlen(name));
}

static void draw_block(struct picture *p, const struct hm_sim_run *run) {
    uint64_t end = end_of(run);
    size_t first = (size_t)((run->offset + p->cell - 1) / p->cell);
    size_t behind = (size_t)(end == p->drawn ? (end + p->cell - 1) / p->cell : end / p->cell);
    if (run->offset % p->cell)
        p->cells[run->offset / p->cell] = '+';
    if (end % p->cell && end != p->drawn)
        p->cells[end / p->cell] = '+';
    if (behind <= first)
        return;
    memset(p->cells + first, '#', behind - first);
    if (behind - first >= 2)
        label(p, run->name, first, behind);
}

static void print_picture(FILE *out, const struct picture *p) {
    size_t cells = (size_t)((p->drawn + p->cell - 1) / p->cell);
    for (size_t at = 0; at < cells; at += p->columns) {
        size_t length = cells - at < p->columns ? cells - at : p->columns;
        fprintf(out, "%*" PRIu64 " |%.*s|\n", p->digits, at * p->cell, (int)length, p->cells + at);
    }
    if (p->drawn < p->arena)
        fprintf(out, "%*s all from %" PRIu64 " on is free\n", p->digits, "", p->drawn);
}

static void print_totals(FILE *out, const struct picture *p, const struct hm_sim_run *runs,
                         size_t count) {
    uint64_t bytes[2] = {0}, largest = 0;
    size_t number[2] = {0};
    for (size_t i = 0; i < count; i++) {
        bytes[runs[i].used] += runs[i].bytes;
        number[runs[i].used]++;
        if (!runs[i].used && runs[i].bytes > largest)
            largest = runs[i].bytes;
    }
    fprintf(out, "%" PRIu64 " bytes, one character is %" PRIu64 "\n", p->arena, p->cell);
    fprintf(out, "used %" PRIu64 " in %zu block%s\n", bytes[true], number[true],
            number[true] == 1 ? "" : "s");
    fprintf(out, "free %" PRIu64 " in %zu run%s, the largest %" PRIu64 "\n", bytes[false],
            number[false], number[false] == 1 ? "" : "s", largest);
}

static void print_legend(FILE *out, int digits, const struct hm_sim_run *runs, size_t count,
                         unsigned width) {
    int column = digits > 6 ? digits : 6; /* as "offset" */
    int room = (int)width - 2 * (column + 2);
    fprintf(out, "%*s  %*s  block\n", column, "offset", column, "bytes");
    for (size_t i = 0; i < count; i++) {
        const char *name = runs[i].name ? runs[i].name : "(no name)";
        fprintf(out, "%*" PRIu64 "  %*" PRIu64 "  %.*s\n", column, runs[i].offset, column,
                runs[i].bytes, room, runs[i].used ? name : "(free)");
    }
}

void hm_sim_map_draw(FILE *out, const struct hm_sim_run *runs, size_t count, unsigned width) {
    struct picture p;
    lay_out(&p, runs, count, width);
    for (size_t i = 0; i < count; i++)
        if (runs[i].used)
            draw_block(&p, &runs[i]);
    print_totals(out, &p, runs, count);
    print_picture(out, &p);
    print_legend(out, p.digits, runs, count, width);
}
