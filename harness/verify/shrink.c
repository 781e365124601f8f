/* Makes a failing script short. Each trial is a forked process: it crashes and hangs for itself. */
#include "harness/verify/shrink.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A trial with an operation that takes longer has failed: it hangs. Most take less than a microsecond,
 * and those that hang must not use up the time for all trials. */
static const double trial_s = 0.05;
static const double proof_s = 2; /* of the script that is left */

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum {
    NOT_FAILED = 42, /* what a library that calls exit() does not say by chance */
};

__attribute__((noreturn)) static void play(struct hm_player *player, const struct hm_op *ops,
                                           size_t count, uint64_t *steps) {
    struct hm_error error = {""};
    for (size_t i = 0; i < count; i++) {
        __atomic_store_n(steps, i + 1, __ATOMIC_RELAXED);
        if (hm_player_step(player, &ops[i], &error))
            _exit(1);
    }
    bool fails = hm_player_clear(player, &error) || hm_player_again(player, &error);
    _exit(fails ? 1 : NOT_FAILED);
}

static bool fails(struct hm_shrink *s, const struct hm_op *ops, size_t count, double seconds) {
    int status;
    uint64_t *steps = &s->v->board->steps;
    int pid = hm_verify_fork(s->v);
    if (pid == 0)
        play(s->player, ops, count, steps);
    return hm_verify_watch(s->v, pid, seconds, steps, &status) != HM_WATCH_EXIT ||
           status != NOT_FAILED;
}

/* Try without the chunk that begins at `from`. @return whether it went */
static bool leave_out(struct hm_shrink *s, size_t from, size_t chunk) {
    size_t end = from + chunk < s->count ? from + chunk : s->count;
    memcpy(s->trial, s->ops, from * sizeof *s->ops);
    memcpy(s->trial + from, s->ops + end, (s->count - end) * sizeof *s->ops);
    size_t count = s->count - (end - from);
    if (!fails(s, s->trial, count, trial_s))
        return false;
    memcpy(s->ops, s->trial, count * sizeof *s->ops);
    s->count = count;
    return true;
}

int hm_shrink(struct hm_shrink *s) {
    double deadline = now_s() + s->seconds;
    if (!fails(s, s->ops, s->count, proof_s))
        return ENOENT;
    for (size_t chunk = (s->count + 1) / 2; chunk > 0;) {
        bool any = false;
        for (size_t from = s->count; from > 0 && now_s() < deadline;) {
            from = from > chunk ? from - chunk : 0;
            any |= leave_out(s, from, chunk);
        }
        if (now_s() >= deadline)
            break;
        if (chunk > 1)
            chunk /= 2;
        else if (!any)
            break;
    }
    return fails(s, s->ops, s->count, proof_s) ? 0 : ENOENT;
}
