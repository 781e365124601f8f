/* Births and deaths as a table of sizes says: for each size how many blocks are allocated in a second,
 * and how many are live.
 *
 * By Little's law, L = rate * W, these two give the mean lifetime W of a block of each size. Here each
 * size has as many places as blocks of it are live. An operation chooses a size with a probability in
 * proportion to its rate, a random place of that size, frees the block there and allocates a new one:
 * so as many blocks are live as the table says, and lifetimes are geometric with the mean that follows
 * from it. The table can be of a program that nobody could run here.
 *
 * The table is a CSV file: docs/profile.md. It comes from anywhere, and every line of it is checked;
 * the first thing wrong is told with its line.
 *
 * Vocabulary
 *   row     a size with its rate and its live blocks, which are rounded to a whole number; at least 1,
 *           for what is allocated is live for a moment.
 *   places  slots of the live set; each row has a stretch of them.
 *
 * The table is read without the C library's malloc, which is the heap that is measured. */
#include "workloads/slots.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    PARAM_FILE,
};

enum {
    FILE_BYTES_MAX = 4 << 20,
    ROWS_MAX = 65536,
    PLACES_MAX = 4000000,
    SIZE_MAX_BYTES = 1 << 30,
    LINE_BYTES = 256,
};

#define HEADER "size_bytes,allocations_per_second,live_blocks"

static const struct hm_param params[] = {
    [PARAM_FILE] = {.name = "file",
                    .unit = "",
                    .help = "table of sizes, rates and live blocks: docs/profile.md",
                    .kind = HM_PARAM_TEXT},
    {.name = NULL},
};

struct row {
    uint32_t size;
    uint32_t places;
    uint32_t first; /* place */
    double below;   /* sum of the rates down to this row */
};

/* One mapping: this, the rows, the text of the file. */
struct table {
    struct row *rows;
    size_t count;
    size_t places;
    double rate;
    char *text;
    size_t bytes;
};

/* ---- The table ---- */

/* @return 0, or EINVAL and one line in `why` */
static int say(char why[LINE_BYTES], const char *path, unsigned line, const char *what) {
    if (line)
        snprintf(why, LINE_BYTES, "%.120s, line %u: %s", path, line, what);
    else
        snprintf(why, LINE_BYTES, "%.120s: %s", path, what);
    return EINVAL;
}

static int read_file(struct table *table, const char *path, char why[LINE_BYTES]) {
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return say(why, path, 0, strerror(errno));
    if (fstat(file, &status) || !S_ISREG(status.st_mode)) {
        close(file);
        return say(why, path, 0, "not a file");
    }
    size_t used = 0;
    ssize_t got = 1;
    while (used <= FILE_BYTES_MAX && got > 0) {
        got = read(file, table->text + used, FILE_BYTES_MAX + 1 - used);
        used += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno == EINTR ? 1 : got;
    }
    close(file);
    if (got < 0)
        return say(why, path, 0, "could not be read");
    if (used > FILE_BYTES_MAX)
        return say(why, path, 0, "larger than 4 MiB");
    if (memchr(table->text, '\0', used))
        return say(why, path, 0, "not a text");
    table->text[used] = '\0';
    return 0;
}

/* A decimal number without sign, up to the comma or the end. @return what is behind it, or NULL */
static char *parse_number(char *at, char end, double *out) {
    char *behind;
    if (!isdigit((unsigned char)*at) && *at != '.')
        return NULL;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
        return NULL;
    *out = strtod(at, &behind);
    if (behind == at || *behind != end || !isfinite(*out))
        return NULL;
    return end ? behind + 1 : behind;
}

/* @return NULL, or what is wrong with the line */
static const char *parse_row(struct table *table, char *line) {
    double size, rate, live;
    if (table->count == ROWS_MAX)
        return "more than 65536 rows";
    char *at = parse_number(line, ',', &size);
    if (!at || size < 1 || size > SIZE_MAX_BYTES || size != floor(size))
        return "the size is not a whole number from 1 to 1073741824";
    at = parse_number(at, ',', &rate);
    if (!at || !(rate > 0) || rate > 1e18)
        return "the rate is not a number above 0, up to 1e18";
    at = parse_number(at, '\0', &live);
    if (!at || live > PLACES_MAX)
        return "the live blocks are not a number from 0 to 4000000, the last on the line";
    uint32_t places = live < 1.5 ? 1 : (uint32_t)(live + 0.5);
    if (table->places + places > PLACES_MAX)
        return "more than 4000000 live blocks so far: divide all of them, and the rates, by a "
               "number";
    table->rate += rate;
    table->rows[table->count++] =
        (struct row){(uint32_t)size, places, (uint32_t)table->places, table->rate};
    table->places += places;
    return NULL;
}

/* Lines end with \n or \r\n; empty ones, and those that begin with #, are left out. */
static int parse_text(struct table *table, const char *path, char why[LINE_BYTES]) {
    bool has_header = false;
    unsigned number = 0;
    for (char *rest = table->text, *line; (line = strsep(&rest, "\n"));) {
        number++;
        size_t length = strlen(line);
        if (length && line[length - 1] == '\r')
            line[length - 1] = '\0';
        if (!*line || *line == '#')
            continue;
        if (!has_header && strcmp(line, HEADER) != 0)
            return say(why, path, number, "the head is not '" HEADER "'");
        const char *bad = has_header ? parse_row(table, line) : NULL;
        if (bad)
            return say(why, path, number, bad);
        has_header = true;
    }
    return table->count ? 0 : say(why, path, 0, "there is no row");
}

/* @return 0, ENOMEM, or EINVAL and one line in `why` */
static int open_table(struct table **out, const char *path, char why[LINE_BYTES]) {
    size_t bytes = sizeof(struct table) + ROWS_MAX * sizeof(struct row) + FILE_BYTES_MAX + 2;
    struct table *table = hm_scratch(bytes);
    if (!table)
        return ENOMEM;
    table->bytes = bytes;
    table->rows = (struct row *)(table + 1);
    table->text = (char *)(table->rows + ROWS_MAX);
    int bad = read_file(table, path, why);
    if (!bad)
        bad = parse_text(table, path, why);
    if (bad)
        hm_scratch_free(table, bytes);
    else
        *out = table;
    return bad;
}

static const char *conflict(const struct hm_value *values) {
    static char why[LINE_BYTES];
    struct table *table;
    if (!values[PARAM_FILE].text[0])
        return "file= is missing: the table of sizes (docs/profile.md)";
    int bad = open_table(&table, values[PARAM_FILE].text, why);
    if (bad == ENOMEM)
        return "no memory to read the table";
    if (!bad)
        hm_scratch_free(table, table->bytes);
    return bad ? why : NULL;
}

/* ---- The workload ---- */

/* One mapping: this, the slots, the steps. */
struct profile {
    struct hm_slots set;
    size_t bytes;
};

static struct profile *map_profile(size_t places) {
    size_t steps = hm_slots_script_length(places);
    size_t bytes =
        sizeof(struct profile) + places * sizeof(struct hm_slot) + steps * sizeof(struct hm_step);
    struct profile *profile = hm_scratch(bytes);
    if (!profile)
        return NULL;
    profile->bytes = bytes;
    profile->set.slots = (struct hm_slot *)(profile + 1);
    profile->set.slot_count = places;
    profile->set.steps = (struct hm_step *)(profile->set.slots + places);
    profile->set.step_count = steps;
    return profile;
}

/* The first row that lies above a point of 0 .. rate. */
static const struct row *row_at(const struct table *table, double point) {
    size_t low = 0;
    size_t high = table->count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table->rows[middle].below > point)
            high = middle;
        else
            low = middle + 1;
    }
    return &table->rows[low];
}

static void draw(struct hm_slots *set, const struct table *table, struct hm_random *random) {
    for (size_t i = 0; i < set->step_count; i++) {
        double uniform = (double)(hm_random_next(random) >> 11) * 0x1p-53;
        const struct row *row = row_at(table, uniform * table->rate);
        uint32_t place = row->first + (uint32_t)hm_random_below(random, row->places);
        set->steps[i] = (struct hm_step){place, row->size};
    }
}

/* The last row that begins at a place or before it. */
static const struct row *row_of(const struct table *table, uint32_t place) {
    size_t low = 0;
    size_t high = table->count - 1;
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        if (table->rows[middle].first <= place)
            low = middle;
        else
            high = middle - 1;
    }
    return &table->rows[low];
}

static size_t gcd(size_t a, size_t b) {
    return b ? gcd(b, a % b) : a;
}

/* All places, in an order that mixes the sizes: by steps that share no factor with their number. */
static bool fill(const struct hm_memory *memory, const struct hm_slots *set,
                 const struct table *table) {
    size_t stride = set->slot_count * 5 / 8 + 1;
    while (gcd(stride, set->slot_count) != 1)
        stride++;
    for (size_t i = 0; i < set->slot_count; i++) {
        uint32_t place = (uint32_t)(i * stride % set->slot_count);
        const struct row *row = row_of(table, place);
        if (!hm_slots_replace(memory, set->slots, &(struct hm_step){place, row->size}, 1))
            return false;
    }
    return true;
}

static void teardown(struct hm_run *run) {
    struct profile *profile = run->state;
    hm_slots_free(run->memory, &profile->set);
    hm_scratch_free(profile, profile->bytes);
    run->state = NULL;
}

static int set_up(struct hm_run *run, const struct table *table) {
    struct profile *profile = map_profile(table->places);
    if (!profile)
        return ENOMEM;
    run->state = profile;
    struct hm_random random = hm_random_of(run->seed, run->thread);
    draw(&profile->set, table, &random);
    if (fill(run->memory, &profile->set, table))
        return 0;
    teardown(run);
    return ENOMEM;
}

static int setup(struct hm_run *run) {
    char why[LINE_BYTES];
    struct table *table;
    int bad = open_table(&table, run->params[PARAM_FILE].text, why);
    if (bad)
        return bad;
    bad = set_up(run, table);
    hm_scratch_free(table, table->bytes);
    return bad;
}

__attribute__((noinline)) static uint64_t run_units(struct hm_run *run, uint64_t units) {
    struct profile *profile = run->state;
    return hm_slots_run(run, &profile->set, units, 1);
}

static const char *verify(struct hm_run *run) {
    const struct profile *profile = run->state;
    return hm_slots_verify(&profile->set, 1);
}

static uint64_t live_bytes(const struct hm_run *run) {
    const struct profile *profile = run->state;
    return hm_slots_live_bytes(&profile->set);
}

static const struct hm_workload profile = {
    HM_WORKLOAD_VARIANT,
    .name = "profile",
    .summary = "blocks are born and die as a table of sizes, rates and live counts says",
    .stresses = "the sizes and lifetimes of a program that was observed elsewhere",
    .origin = "the allocator benchmark of Google's fleetbench, which derives lifetimes from such a "
              "table by Little's law; tables of your own",
    .op = "free and malloc",
    .params = params,
    .conflict = conflict,
    .setup = setup,
    .run = run_units,
    .verify = verify,
    .live_bytes = live_bytes,
    .teardown = teardown,
};
HM_REGISTER(hm_workload, profile);
