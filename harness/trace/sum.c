/* One pass over a trace. */
#include "harness/trace/sum.h"

#include <errno.h>
#include <string.h>

static int add_event(struct hm_sum *sum, const struct hm_trace_event *event) {
    uint32_t site = 0;
    bool makes = hm_trace_is_allocation(event->kind) || hm_trace_is_realloc(event->kind);
    int bad = makes && !event->failed ? hm_groups_find(sum->groups, sum->reader, event, &site) : 0;
    return bad ? bad : hm_sites_add(sum->sites, event, site);
}

static int add_events(struct hm_sum *sum, struct hm_error *error) {
    struct hm_trace_event event;
    int more;
    while ((more = hm_trace_next(sum->reader, &event)) == 1)
        if (add_event(sum, &event))
            return hm_fail(error, ENOMEM, "out of memory");
    if (more < 0)
        return hm_fail(error, EINVAL, "%s", hm_trace_why(sum->reader));
    hm_sites_end(sum->sites);
    return 0;
}

int hm_sum_take(struct hm_sum *out, const char *path, const struct hm_sum_options *options,
                struct hm_error *error) {
    char why[HM_TRACE_WHY_BYTES];
    int bad = hm_trace_open(path, &out->reader, why);
    if (bad)
        return hm_fail(error, bad, "%s", why);
    out->by = options->by;
    if (!hm_trace_facts(out->reader)->has_stacks && hm_by_needs_stacks(options->by)) {
        if (options->by_given)
            return hm_fail(error, EINVAL, "%s: " HM_SUM_NO_STACKS, path);
        out->by = HM_BY_SIZE;
    }
    out->groups = hm_groups_open(out->by, options->with_lines, options->skip);
    out->sites = hm_sites_new(options->temporary_calls);
    if (!out->groups || !out->sites)
        return hm_fail(error, ENOMEM, "out of memory");
    return add_events(out, error);
}

void hm_sum_close(struct hm_sum *sum) {
    hm_sites_free(sum->sites);
    hm_groups_close(sum->groups);
    if (sum->reader)
        hm_trace_close(sum->reader);
    memset(sum, 0, sizeof *sum);
}
