/* What a library of others is known for: hm_deviation, matched line by line.
 *
 * The excuse is narrow: the property, the whole line that it would have failed with, and the version
 * of the library that runs must all be in one entry. */
#include "harness/verify/known.h"
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

int hm_deviation_find(const struct hm_deviation *list, const char *property, const char *line,
                      const char *version) {
    for (int i = 0; list && list[i].fault && i < ENTRIES_MAX; i++)
        if (is_one_of(list[i].properties, property) && is_one_of(list[i].fault, line) &&
            is_one_of(list[i].versions, version))
            return i;
    return -1;
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
    const struct hm_deviation *list = v->known ? v->known->deviations : NULL;
    int entry = list ? hm_deviation_find(list, v->property->name, line, version_of(v)) : -1;
    if (entry >= 0)
        __atomic_fetch_or(&v->board->deviated, 1u << entry, __ATOMIC_ACQ_REL);
    return entry >= 0;
}

bool hm_verify_is_misaligned(struct hm_verify *v, const char *call) {
    char line[PATTERN_MAX];
    snprintf(line, sizeof line, "%s is not aligned", call);
    return hm_verify_is_known(v, line);
}
