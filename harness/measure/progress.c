/* Tells on stderr how far a run is. */
#include "harness/measure/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    BAR = 40,
};

void hm_progress_begin(struct hm_progress *progress, size_t steps) {
    *progress = (struct hm_progress){.terminal = isatty(STDERR_FILENO), .steps = steps};
}

static double seconds_left(const struct hm_progress *p) {
    double left = p->done && p->steps > p->done
                      ? p->spent_s / (double)p->done * (double)(p->steps - p->done)
                      : 0;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double budget = p->end_s - (double)now.tv_sec;
    return p->end_s > 0 && budget < left ? (budget > 0 ? budget : 0) : left;
}

static void clear_line(const struct hm_progress *p) {
    if (p->terminal)
        fputs("\r\033[K", stderr);
}

void hm_progress_step(struct hm_progress *progress, double seconds) {
    progress->done++;
    progress->spent_s += seconds;
    if (!progress->terminal)
        return;
    size_t full = progress->steps ? BAR * progress->done / progress->steps : BAR;
    int left = (int)(seconds_left(progress) + 0.5);
    clear_line(progress);
    fputc('[', stderr);
    for (size_t i = 0; i < BAR; i++)
        fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "] %zu of %zu, %d:%02d left", progress->done, progress->steps, left / 60,
            left % 60);
}

void hm_progress_round(struct hm_progress *progress, unsigned round, unsigned rounds) {
    int left = (int)(seconds_left(progress) + 0.5);
    if (!progress->terminal && !progress->quiet)
        fprintf(stderr, "round %u of %s%u done, %s %d:%02d left\n", round,
                progress->at_most ? "at most " : "", rounds,
                progress->at_most ? "at most" : "about", left / 60, left % 60);
}

void hm_progress_cell(struct hm_progress *progress, const struct hm_cell *cell, unsigned rounds,
                      double time_ns) {
    const bool program = cell->group->program;
    if (!progress->terminal && !progress->quiet)
        fprintf(stderr, "%s: %u rounds, %.3g %s in the last\n", cell->id, rounds,
                program ? time_ns * 1e-6 : time_ns, program ? "ms" : "ns/op");
}

void hm_progress_drop(struct hm_progress *progress, size_t steps) {
    progress->steps -= steps < progress->steps ? steps : progress->steps;
}

void hm_progress_decided(struct hm_progress *progress, const struct hm_cell *cell) {
    if (!progress->terminal && !progress->quiet)
        fprintf(stderr, "%s: %s, decided after %u rounds\n", cell->id, cell->verdict,
                cell->decided_after);
}

void hm_progress_failed(struct hm_progress *progress, const struct hm_cell *cell,
                        const struct hm_outcome *outcome) {
    clear_line(progress);
    fprintf(stderr, "%s: %s: %s\n", cell->id, hm_status_name(outcome->status), outcome->reason);
}

void hm_progress_end(struct hm_progress *progress) {
    clear_line(progress);
}
