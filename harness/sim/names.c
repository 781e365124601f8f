/* The names of a script for a collector, and the rows that answer its lines. */
#include "harness/sim/names.h"

#include <errno.h>
#include <inttypes.h>

int hm_sim_new_name(struct hm_sim_play *sim, const char *id, struct hm_sim_named **out,
                    struct hm_error *error) {
    int bad = hm_sim_check_id(id, error);
    if (bad)
        return bad;
    struct hm_sim_named *named = hm_sim_name(&sim->names, id, sizeof *named);
    if (!named)
        return hm_fail(error, ENOMEM, "out of memory for the names");
    if (named->object)
        return hm_fail(error, EINVAL, "%s is not freed yet", id);
    if (!named->rooted) {
        sim->ops->root(sim->m, &named->variable);
        sim->roots++;
        named->rooted = true;
    }
    *out = named;
    return 0;
}

int hm_sim_find_live(struct hm_sim_play *sim, const char *id, struct hm_sim_named **out,
                     struct hm_error *error) {
    int bad = hm_sim_check_id(id, error);
    if (bad)
        return bad;
    struct hm_sim_named *named = hm_sim_find(sim->names, id);
    if (!named || !named->object)
        return hm_fail(error, EINVAL, "%s is %s", id, named ? "freed" : "not known");
    *out = named;
    return 0;
}

int hm_sim_parse_below(const char *word, uint64_t limit, const char *what, uint64_t *out,
                       struct hm_error *error) {
    uint64_t number;
    int bad = hm_sim_parse_size(word, &number, error);
    if (bad)
        return bad;
    if (number >= limit)
        return hm_fail(error, EINVAL, "%" PRIu64 " is no %s here: it must be below %" PRIu64,
                       number, what, limit);
    *out = number;
    return 0;
}

int hm_sim_find_slot(struct hm_sim_play *sim, const struct hm_sim_line *line,
                     struct hm_sim_named **out, uint32_t *slot, struct hm_error *error) {
    struct hm_sim_named *named;
    uint64_t number;
    int bad = hm_sim_find_live(sim, line->words[1], &named, error);
    if (!bad)
        bad = hm_sim_parse_below(line->words[2], named->slots, "slot", &number, error);
    if (bad)
        return bad;
    *out = named;
    *slot = (uint32_t)number;
    return 0;
}

void hm_sim_name_object(struct hm_sim_play *sim, struct hm_sim_named *named,
                        struct hm_object *object) {
    named->variable = named->object = object;
    named->action = HM_SIM_ACTION_NONE;
    if (object)
        hm_watch_own(&sim->watch, object, named);
}

void hm_sim_hold(struct hm_sim_play *sim, unsigned which, struct hm_object *object) {
    sim->ops->retain(sim->m, object);
    sim->held[which] = object;
}

void hm_sim_let_go(struct hm_sim_play *sim) {
    for (unsigned i = HM_SIM_HELD; i-- > 0;) {
        struct hm_object *object = sim->held[i];
        sim->held[i] = NULL;
        sim->ops->release(sim->m, object);
    }
}

int hm_sim_answer(struct hm_sim_play *sim, const struct hm_sim_line *line, const char *id,
                  const char *value) {
    fprintf(sim->out, "%s,%s,%s\n", line->verb->name, id, value);
    return 0;
}

int hm_sim_not_offered(struct hm_sim_play *sim, const struct hm_sim_line *line,
                       struct hm_error *error) {
    return hm_fail(error, EINVAL, "'%s' is not offered by %s", line->verb->name,
                   sim->collector->name);
}
