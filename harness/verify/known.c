/* What a library of others is known for: hm_deviation, matched line by line.
 *
 * The excuse is narrow: the property, the whole line that it would have failed with, and the version
 * of the library that runs must all be in one entry. */
#include "harness/verify/property.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    PATTERN_MAX = 128,
    ENTRIES_MAX = 32, /* bits of hm_board.deviated */
};

/* One of several patterns: "a|b". */
static bool is_one_of(const char *patterns, const char *text) {
    char pattern[PATTERN_MAX];
    while (*patterns) {
        size_t length = strcspn(patterns, "|");
        snprintf(pattern, sizeof pattern, "%.*s", (int)length, patterns);
        if (length < sizeof pattern && fnmatch(pattern, text, 0) == 0)
            return true;
        patterns += length + (patterns[length] == '|');
    }
    return false;
}

/* Asked for late: nothing may touch the heap before the property does. */
static const char *version_of(struct hm_verify *v) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!v->board->version[0])
        v->known->version(v->board->version);
    pthread_mutex_unlock(&lock);
    return v->board->version;
}

bool hm_verify_is_known(struct hm_verify *v, const char *line) {
    const struct hm_deviation *d = v->known ? v->known->deviations : NULL;
    for (unsigned i = 0; d && d[i].fault && i < ENTRIES_MAX; i++) {
        if (!is_one_of(d[i].properties, v->property->name) || !is_one_of(d[i].fault, line) ||
            !is_one_of(d[i].versions, version_of(v)))
            continue;
        __atomic_fetch_or(&v->board->deviated, 1u << i, __ATOMIC_ACQ_REL);
        return true;
    }
    return false;
}

bool hm_verify_is_misaligned(struct hm_verify *v, const char *call) {
    char line[PATTERN_MAX];
    snprintf(line, sizeof line, "%s is not aligned", call);
    return hm_verify_is_known(v, line);
}
