/* The pass of instruction counts.
 *
 * Callgrind translates the program without counting until the warm-up is over, and collects only while the
 * workers work: between the two calls of the engine's watch. A dump then writes a profile, whose line of
 * totals is read back. The number of units comes from the parent and never from a clock, so that two
 * processes do the very same.
 *
 * Vocabulary
 *   dump     a profile of what was collected since the one before; the name of its file ends in its number
 *   enough   so many instructions that what surrounds the work is nothing beside it */
#include "harness/cell/instructions.h"

#include "harness/cell/channel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#ifdef HM_HAS_VALGRIND
#include <valgrind/callgrind.h>
#else /* requests that nobody hears */
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS
#endif

static const uint64_t enough_instructions = 4000000;

struct counts {
    uint64_t instructions, reads, writes;
};

bool hm_instructions_known(void) {
#ifdef HM_HAS_VALGRIND
    return true;
#else
    return false;
#endif
}

static void toggle(bool working, uint64_t done_ns) {
    (void)working;
    (void)done_ns;
    CALLGRIND_TOGGLE_COLLECT;
}

/* @return 0 or an errno */
static int read_profile(const char *path, struct counts *out) {
    char line[4096];
    bool known = false; /* what the columns are */
    bool found = false;
    FILE *in = fopen(path, "re");
    if (!in)
        return errno;
    while (fgets(line, sizeof line, in)) {
        struct counts c;
        if (strncmp(line, "events: ", 8) == 0)
            known = strncmp(line + 8, "Ir Dr Dw ", 9) == 0;
        if (known && sscanf(line, "totals: %" SCNu64 " %" SCNu64 " %" SCNu64, &c.instructions,
                            &c.reads, &c.writes) == 3) {
            *out = c;
            found = true;
        }
    }
    fclose(in);
    return found ? 0 : EINVAL;
}

static struct counts count(struct hm_engine *engine, const struct hm_cell_config *config,
                           uint64_t units, unsigned *dumps) {
    char path[PATH_MAX + 16];
    struct counts counts = {0};
    hm_engine_watch(engine, toggle);
    hm_engine_run(engine, units);
    hm_engine_watch(engine, NULL);
    CALLGRIND_DUMP_STATS;
    snprintf(path, sizeof path, "%s.%u", config->profile, ++*dumps);
    int bad = read_profile(path, &counts);
    if (bad)
        hm_tell_failure("invalid", "callgrind's counts can not be read: %s", strerror(bad));
    return counts;
}

/* Counted as well, and not timed: it comes out the same on any machine. */
static void choose_units(struct hm_engine *engine, const struct hm_cell_config *config) {
    uint64_t units = 1;
    uint64_t asked = 1;
    unsigned dumps = 0;
    while (count(engine, config, units, &dumps).instructions < enough_instructions) {
        units *= 2;
        asked += units;
    }
    hm_engine_check_done(engine, asked);
    hm_tell("value units -1 %" PRIu64, units);
}

void hm_instructions_pass(struct hm_engine *engine, const struct hm_cell_config *config) {
    if (!RUNNING_ON_VALGRIND)
        hm_tell_failure("invalid", "not run under callgrind");
    hm_engine_warm_up(engine);
    CALLGRIND_START_INSTRUMENTATION;
    if (!config->units) {
        choose_units(engine, config);
        return;
    }
    unsigned dumps = 0;
    struct counts c = count(engine, config, config->units, &dumps);
    CALLGRIND_STOP_INSTRUMENTATION;
    hm_engine_check_done(engine, config->units);
    double ops = (double)hm_engine_ops(engine, config->units);
    hm_tell("value instructions_per_op -1 %.17g", (double)c.instructions / ops);
    hm_tell("value reads_per_op -1 %.17g", (double)c.reads / ops);
    hm_tell("value writes_per_op -1 %.17g", (double)c.writes / ops);
}
