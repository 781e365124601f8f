/* Plays the verbs that ask a collector about itself, and tell it when to work. */
#include "harness/sim/control.h"

#include "harness/sim/names.h"

#include <inttypes.h>

static const struct hm_gc_control *control_of(const struct hm_sim_play *sim) {
    static const struct hm_gc_control nothing;
    return sim->collector->control ? sim->collector->control : &nothing;
}

int hm_sim_play_threshold(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    int64_t thresholds[3];
    if (!control_of(sim)->set_threshold)
        return hm_sim_not_offered(sim, line, error);
    for (int i = 0; i < 3; i++) {
        uint64_t number;
        int bad = hm_sim_parse_below(line->words[i + 1], (uint64_t)INT32_MAX + 1, "threshold",
                                     &number, error);
        if (bad)
            return bad;
        thresholds[i] = (int64_t)number;
    }
    control_of(sim)->set_threshold(sim->gc, thresholds);
    return hm_sim_answer(sim, line, "", "");
}

static int set_automatic(struct hm_sim_play *sim, const struct hm_sim_line *line, bool automatic,
                         struct hm_error *error) {
    if (!control_of(sim)->enable)
        return hm_sim_not_offered(sim, line, error);
    control_of(sim)->enable(sim->gc, automatic);
    return hm_sim_answer(sim, line, "", "");
}

int hm_sim_play_enable(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    return set_automatic(arg, line, true, error);
}

int hm_sim_play_disable(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    return set_automatic(arg, line, false, error);
}

static int ask(struct hm_sim_play *sim, const struct hm_sim_line *line,
               void (*what)(struct hm_gc *gc), struct hm_error *error) {
    if (!what)
        return hm_sim_not_offered(sim, line, error);
    what(sim->gc);
    return hm_sim_answer(sim, line, "", "");
}

int hm_sim_play_freeze(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    return ask(arg, line, control_of(arg)->freeze, error);
}

int hm_sim_play_unfreeze(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    return ask(arg, line, control_of(arg)->unfreeze, error);
}

int hm_sim_play_count(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    int64_t counts[3];
    char value[80];
    if (!control_of(sim)->get_count)
        return hm_sim_not_offered(sim, line, error);
    control_of(sim)->get_count(sim->gc, counts);
    snprintf(value, sizeof value, "%" PRId64 " %" PRId64 " %" PRId64, counts[0], counts[1],
             counts[2]);
    return hm_sim_answer(sim, line, "", value);
}

/* ---- Statistics ---- */

struct field {
    const char *name;
    uint64_t value;
};

/* @param space what goes in front of the first one that is known */
static void put_fields(FILE *out, const char *space, const struct field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value == HM_UNKNOWN)
            continue;
        fprintf(out, "%s%s=%" PRIu64, space, fields[i].name, fields[i].value);
        space = " ";
    }
}

static void put_stats(FILE *out, const struct hm_gc_stats *s) {
    const struct field fields[] = {{"allocated_objects", s->allocated_objects},
                                   {"allocated_bytes", s->allocated_bytes},
                                   {"freed_objects", s->freed_objects},
                                   {"freed_bytes", s->freed_bytes},
                                   {"collections0", s->collections[0]},
                                   {"collections1", s->collections[1]},
                                   {"collections2", s->collections[2]},
                                   {"collected", s->collected},
                                   {"visited", s->visited}};
    put_fields(out, "", fields, sizeof fields / sizeof *fields);
}

static void put_generation_stats(FILE *out, const struct hm_gc_generation_stats g[3]) {
    const struct field fields[] = {
        {"collected0", g[0].collected},         {"collected1", g[1].collected},
        {"collected2", g[2].collected},         {"uncollectable0", g[0].uncollectable},
        {"uncollectable1", g[1].uncollectable}, {"uncollectable2", g[2].uncollectable}};
    put_fields(out, " ", fields, sizeof fields / sizeof *fields);
}

/* Asking may set off a collection, in a collector that is a program by itself; so it comes first. */
int hm_sim_play_stats(void *arg, const struct hm_sim_line *line, struct hm_error *error) {
    struct hm_sim_play *sim = arg;
    struct hm_gc_stats s;
    struct hm_gc_generation_stats g[3];
    bool by_generation = control_of(sim)->get_stats != NULL;
    (void)error;
    sim->collector->stats(sim->gc, &s);
    if (by_generation)
        control_of(sim)->get_stats(sim->gc, g);
    fprintf(sim->out, "%s,,", line->verb->name);
    put_stats(sim->out, &s);
    if (by_generation)
        put_generation_stats(sim->out, g);
    fputc('\n', sim->out);
    return 0;
}
