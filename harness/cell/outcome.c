/* Reads the lines that a measured process reports. */
#include "harness/cell/outcome.h"

#include "harness/stats/histogram.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 1 << 20,   /* more than any cell reports; a flood is cut here */
    IMAGES_MAX = 1 << 18, /* bytes of lines */
};

void hm_outcome_free(struct hm_outcome *outcome) {
    free(outcome->values);
    free(outcome->points);
    free(outcome->buckets);
    free(outcome->images);
    free(outcome->spots);
    *outcome = (struct hm_outcome){.status = HM_STATUS_INVALID};
}

double hm_outcome_value(const struct hm_outcome *outcome, const char *metric, int thread) {
    for (size_t i = 0; i < outcome->value_count; i++)
        if (outcome->values[i].thread == thread && strcmp(outcome->values[i].metric, metric) == 0)
            return outcome->values[i].value;
    return NAN;
}

static bool is_name(const char *text) {
    for (; *text; text++)
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '_')
            return false;
    return true;
}

/* Room for one more item; arrays grow by doubling. */
static void *grow(void *array, size_t count, size_t bytes) {
    bool full = count == 0 || (count & (count - 1)) == 0;
    if (count >= ROWS_MAX)
        return NULL;
    return full ? realloc(array, (count ? 2 * count : 1) * bytes) : array;
}

static int keep_value(struct hm_outcome *o, const struct hm_measured *value) {
    struct hm_measured *grown = grow(o->values, o->value_count, sizeof *grown);
    if (!grown)
        return ENOMEM;
    o->values = grown;
    o->values[o->value_count++] = *value;
    return 0;
}

static int take_value(struct hm_outcome *o, const char *line) {
    struct hm_measured v = {.reason = ""};
    if (sscanf(line, "%31s %d %lf", v.metric, &v.thread, &v.value) != 3 || !is_name(v.metric) ||
        !isfinite(v.value))
        return EINVAL;
    return keep_value(o, &v);
}

/* What the process looked for and this machine does not tell. */
static int take_unknown(struct hm_outcome *o, const char *line) {
    struct hm_measured v = {.thread = -1, .value = NAN};
    if (sscanf(line, "%31s %95[^\n]", v.metric, v.reason) < 1 || !is_name(v.metric))
        return EINVAL;
    return keep_value(o, &v);
}

static int take_point(struct hm_outcome *o, const char *line) {
    struct hm_point p;
    if (sscanf(line, "%31s %d %" SCNu64 " %lf", p.metric, &p.thread, &p.t_ns, &p.value) != 4 ||
        !is_name(p.metric) || !isfinite(p.value))
        return EINVAL;
    struct hm_point *grown = grow(o->points, o->point_count, sizeof *grown);
    if (!grown)
        return ENOMEM;
    o->points = grown;
    o->points[o->point_count++] = p;
    return 0;
}

static int take_bucket(struct hm_outcome *o, const char *line) {
    struct hm_bucket b;
    if (sscanf(line, "%31s %u %" SCNu64, b.metric, &b.bucket, &b.count) != 3 ||
        !is_name(b.metric) || b.bucket >= HM_HISTOGRAM_BUCKETS)
        return EINVAL;
    struct hm_bucket *grown = grow(o->buckets, o->bucket_count, sizeof *grown);
    if (!grown)
        return ENOMEM;
    o->buckets = grown;
    o->buckets[o->bucket_count++] = b;
    return 0;
}

static int take_spot(struct hm_outcome *o, const char *line) {
    struct hm_heap_spot s;
    if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &s.t_ns, &s.offset,
               &s.size, &s.used, &s.free) != 5 ||
        s.used > s.size || s.free > s.size - s.used)
        return EINVAL;
    struct hm_heap_spot *grown = grow(o->spots, o->spot_count, sizeof *grown);
    if (!grown)
        return ENOMEM;
    o->spots = grown;
    o->spots[o->spot_count++] = s;
    return 0;
}

static int take_pin(struct hm_outcome *o, const char *line) {
    unsigned thread;
    int requested;
    char actual[128];
    if (sscanf(line, "%u %d %127s", &thread, &requested, actual) != 3)
        return EINVAL;
    size_t used = strlen(o->pins);
    snprintf(o->pins + used, sizeof o->pins - used, "%s%d>%s", used ? " " : "", requested, actual);
    return 0;
}

static int take_failure(struct hm_outcome *o, const char *line) {
    char name[32];
    int length = 0;
    if (sscanf(line, "%31s%n", name, &length) != 1)
        return EINVAL;
    for (int s = HM_STATUS_SKIP; s < HM_STATUS_COUNT; s++)
        if (strcmp(name, hm_status_name((enum hm_status)s)) == 0) {
            o->status = (enum hm_status)s;
            snprintf(o->reason, sizeof o->reason, "%s", line + length + (line[length] == ' '));
            return 0;
        }
    return EINVAL;
}

static int take_image(struct hm_outcome *o, const char *line) {
    size_t used = o->images ? strlen(o->images) : 0;
    size_t more = strlen(line);
    const char *space = strchr(line, ' ');
    if (!space || space == line || !space[1] || used + more + 2 > IMAGES_MAX)
        return EINVAL;
    char *grown = realloc(o->images, used + more + 2);
    if (!grown)
        return ENOMEM;
    o->images = grown;
    snprintf(grown + used, more + 2, "%s\n", line);
    return 0;
}

int hm_outcome_take(struct hm_outcome *outcome, const char *line, const char *nonce, bool *ended) {
    const char *space = strchr(line, ' ');
    if (!space)
        return EINVAL;
    size_t word = (size_t)(space - line);
    const char *rest = space + 1;
#define IS(name) (word == strlen(name) && memcmp(line, name, word) == 0)
    if (IS("value"))
        return take_value(outcome, rest);
    if (IS("unknown"))
        return take_unknown(outcome, rest);
    if (IS("point"))
        return take_point(outcome, rest);
    if (IS("bucket"))
        return take_bucket(outcome, rest);
    if (IS("map"))
        return take_spot(outcome, rest);
    if (IS("pin"))
        return take_pin(outcome, rest);
    if (IS("image"))
        return take_image(outcome, rest);
    if (IS("fail"))
        return take_failure(outcome, rest);
    if (IS("proof"))
        return snprintf(outcome->proof, sizeof outcome->proof, "%s", rest) < 0;
    if (IS("checksum"))
        return sscanf(rest, "%" SCNx64, &outcome->checksum) == 1 ? 0 : EINVAL;
    if (IS("ops"))
        return sscanf(rest, "%" SCNu64, &outcome->ops) == 1 ? 0 : EINVAL;
    if (IS("slice")) {
        unsigned done;
        outcome->waits = sscanf(rest, "%u", &done) == 1;
        return outcome->waits ? 0 : EINVAL;
    }
    if (IS("end"))
        *ended = strcmp(rest, nonce) == 0;
#undef IS
    return 0;
}
