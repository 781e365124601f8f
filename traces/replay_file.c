/* Plans from files: found by path or by the name of an example, checked once, then decoded. */
#include "traces/example.h"
#include "traces/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PLAN_BYTES_PER_CALL =
        16, /* at most, but for calls that are rare; with what it takes to make it */
    PLAN_BYTES_PER_BLOCK = 16,
    MEMINFO_BYTES = 4096,
};

static const char *path_of(const char *file, char room[PATH_MAX]) {
    return hm_example_path(file, "traces", ".hmtrace", room);
}

/* ---- Checking it ---- */

static struct {
    char path[PATH_MAX];
    struct stat status;
    struct hm_replay_facts facts;
} checked;

static bool is_checked(const char *path, const struct stat *now) {
    const struct stat *then = &checked.status;
    return strcmp(checked.path, path) == 0 && then->st_dev == now->st_dev &&
           then->st_ino == now->st_ino && then->st_size == now->st_size &&
           then->st_mtim.tv_sec == now->st_mtim.tv_sec &&
           then->st_mtim.tv_nsec == now->st_mtim.tv_nsec;
}

static int say(char why[HM_TRACE_WHY_BYTES], const char *path, int bad, const char *what) {
    snprintf(why, HM_TRACE_WHY_BYTES, "%.180s: %s", path, what);
    return bad;
}

/* @return 0, or the reader's complaint as EINVAL */
static int each_event(struct hm_trace_reader *reader, void *arg,
                      int (*visit)(void *arg, const struct hm_trace_event *event),
                      char why[HM_TRACE_WHY_BYTES]) {
    struct hm_trace_event event;
    int got, bad = 0;
    while (!bad && (got = hm_trace_next(reader, &event)) > 0)
        bad = visit(arg, &event);
    if (bad || got == 0)
        return bad;
    snprintf(why, HM_TRACE_WHY_BYTES, "%s", hm_trace_why(reader));
    return EINVAL;
}

static int count(void *arg, const struct hm_trace_event *event) {
    struct hm_replay_facts *facts = arg;
    bool is_call = event->kind < HM_TRACE_THREAD_BEGIN;
    bool is_in = hm_replay_takes(event);
    facts->calls += is_in && event->kind != HM_TRACE_INHERITED;
    facts->left_out += is_call && !is_in;
    return 0;
}

/* @return UINT64_MAX when the kernel does not tell */
static uint64_t available_bytes(void) {
    static const char word[] = "MemAvailable:";
    char text[MEMINFO_BYTES];
    int file = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return UINT64_MAX;
    ssize_t used = read(file, text, sizeof text - 1);
    close(file);
    text[used > 0 ? used : 0] = '\0';
    const char *found = strstr(text, word);
    return found ? 1024 * strtoull(found + sizeof word - 1, NULL, 10) : UINT64_MAX;
}

static int check_size(const char *path, const struct hm_replay_facts *facts,
                      const struct hm_trace_totals *totals, char why[HM_TRACE_WHY_BYTES]) {
    uint64_t available = available_bytes();
    uint64_t needed = facts->calls * PLAN_BYTES_PER_CALL + totals->blocks * PLAN_BYTES_PER_BLOCK;
    if (!facts->calls)
        return say(why, path, EINVAL, "there is no call that could be made again");
    if (needed < available)
        return 0;
    snprintf(why, HM_TRACE_WHY_BYTES,
             "%.120s: its %llu calls take %llu MiB to replay, and %llu MiB are available", path,
             (unsigned long long)facts->calls, (unsigned long long)needed >> 20,
             (unsigned long long)available >> 20);
    return ENOMEM;
}

static int read_facts(struct hm_trace_reader *reader, const char *path, struct hm_replay_facts *out,
                      char why[HM_TRACE_WHY_BYTES]) {
    struct hm_replay_facts facts = {.calls = 0};
    int bad = each_event(reader, &facts, count, why);
    if (bad)
        return bad;
    const struct hm_trace_totals *totals = hm_trace_totals(reader);
    facts.peak_bytes = totals->peak_bytes;
    facts.threads = totals->threads;
    facts.hash = totals->hash;
    *out = facts;
    return check_size(path, out, totals, why);
}

static int check_anew(const char *path, struct hm_replay_facts *out, char why[HM_TRACE_WHY_BYTES]) {
    struct hm_trace_reader *reader;
    int bad = hm_trace_open(path, &reader, why);
    if (bad)
        return bad;
    bad = read_facts(reader, path, out, why);
    hm_trace_close(reader);
    return bad;
}

int hm_replay_check(const char *file, struct hm_replay_facts *out, char why[HM_TRACE_WHY_BYTES]) {
    char room[PATH_MAX];
    struct stat status;
    const char *path = path_of(file, room);
    if (stat(path, &status))
        return say(why, path, errno, strerror(errno));
    if (!is_checked(path, &status)) {
        struct hm_replay_facts facts;
        int bad = check_anew(path, &facts, why);
        if (bad)
            return bad;
        checked.facts = facts;
        checked.status = status;
        snprintf(checked.path, sizeof checked.path, "%s", path);
    }
    *out = checked.facts;
    return 0;
}

/* ---- Decoding it ---- */

static int survey(void *builder, const struct hm_trace_event *event) {
    return hm_replay_survey(builder, event);
}

static int add(void *builder, const struct hm_trace_event *event) {
    return hm_replay_add(builder, event);
}

static int read_events(struct hm_trace_reader *reader, const char *path, unsigned workers,
                       struct hm_replay_builder *builder, char why[HM_TRACE_WHY_BYTES]) {
    int bad = 0;
    if (workers > 1) {
        bad = each_event(reader, builder, survey, why);
        if (!bad && (bad = hm_trace_rewind(reader)))
            say(why, path, bad, strerror(bad));
    }
    return bad ? bad : each_event(reader, builder, add, why);
}

static int decode(struct hm_trace_reader *reader, const char *path, unsigned workers,
                  const struct hm_replay_memory *memory, struct hm_replay_plan **out,
                  char why[HM_TRACE_WHY_BYTES]) {
    struct hm_replay_builder *builder;
    int bad = hm_replay_begin(workers, &builder);
    if (bad)
        return say(why, path, bad, "no memory to decode it");
    bad = read_events(reader, path, workers, builder, why);
    if (bad)
        hm_replay_abandon(builder);
    else
        bad = hm_replay_end(builder, memory, out);
    if (bad == ENOMEM)
        say(why, path, bad, "no memory to decode it");
    if (bad == EFBIG)
        say(why, path, bad, "more blocks than a replay can number");
    return bad;
}

int hm_replay_load(const char *file, unsigned workers, const struct hm_replay_memory *memory,
                   struct hm_replay_plan **out, char why[HM_TRACE_WHY_BYTES]) {
    char room[PATH_MAX];
    struct hm_trace_reader *reader;
    const char *path = path_of(file, room);
    int bad = hm_trace_open(path, &reader, why);
    if (bad)
        return bad;
    bad = decode(reader, path, workers, memory, out, why);
    hm_trace_close(reader);
    return bad;
}
