/* Which metrics are compared. */
#include "harness/compare/choice.h"

#include "harness/plan/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef bool is_fn(const struct hm_metric *metric);

static bool begins(const struct hm_metric *metric, const char *with) {
    return strncmp(metric->name, with, strlen(with)) == 0;
}

static bool is_time(const struct hm_metric *metric) {
    return strcmp(metric->name, "time_ns") == 0 || strcmp(metric->name, "wall_ns") == 0 ||
           strcmp(metric->name, "cpu_ns") == 0;
}

static bool is_space(const struct hm_metric *metric) {
    return strcmp(metric->unit, "bytes") == 0;
}

static bool is_latency(const struct hm_metric *metric) {
    return begins(metric, "latency_") || begins(metric, "response_");
}

static bool is_counter(const struct hm_metric *metric) {
    return begins(metric, "cpu_") && !is_time(metric);
}

static const struct {
    const char *word;
    is_fn *has;
} groups[] = {{"time", is_time},
              {"space", is_space},
              {"latency", is_latency},
              {"instructions", hm_metric_is_counted},
              {"counters", is_counter}};

enum {
    GROUPS = sizeof groups / sizeof *groups,
};

/* Operations per second are time_ns turned round: counted twice, they would only cost power. */
bool hm_choice_is_usual(const struct hm_metric *metric) {
    return metric->better != HM_BETTER_NEITHER && strcmp(metric->name, "ops_per_second") != 0 &&
           (metric->verdict || strcmp(metric->name, "cpu_ns") == 0);
}

static int refuse(const char *word, struct hm_error *error) {
    size_t count;
    const struct hm_metric *metrics = hm_metrics(&count);
    const char **names = calloc(count + GROUPS, sizeof *names);
    if (!names)
        return hm_fail(error, ENOMEM, "out of memory");
    for (size_t i = 0; i < count + GROUPS; i++)
        names[i] = i < count ? metrics[i].name : groups[i - count].word;
    const char *near = hm_nearest(word, names, count + GROUPS);
    int bad = hm_fail(
        error, EINVAL,
        "--metrics: '%s' is no metric, nor time, space, latency, instructions, counters%s%s%s",
        word, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    return bad;
}

static int choose(bool *chosen, const char *word, struct hm_error *error) {
    size_t count;
    const struct hm_metric *metrics = hm_metrics(&count);
    const struct hm_metric *named = hm_metric_find(word);
    if (named && named->better == HM_BETTER_NEITHER)
        return hm_fail(error, EINVAL, "--metrics: of %s neither more nor less is better", word);
    if (named)
        chosen[named - metrics] = true;
    bool found = named;
    for (size_t g = 0; g < GROUPS; g++) {
        if (strcmp(groups[g].word, word) != 0)
            continue;
        found = true;
        for (size_t i = 0; i < count; i++)
            if (hm_choice_is_usual(&metrics[i]) && groups[g].has(&metrics[i]))
                chosen[i] = true;
    }
    return found ? 0 : refuse(word, error);
}

int hm_choice_parse(bool *chosen, const char *list, struct hm_error *error) {
    char word[64];
    for (;;) {
        size_t length = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, list);
        int bad = choose(chosen, word, error);
        if (bad || !list[length])
            return bad;
        list += length + 1;
    }
}
