/* Google Benchmark behind one C function. Its traps, and what is done about them here:
 *   - its thread ranges start fresh threads for each repetition and average their manual times: the
 *     threads are the engine's, and one iteration's time is the wall time of all of them;
 *   - PauseTiming costs more than an allocation: manual time, read once around the whole work;
 *   - its own calibration would age each heap differently: the iteration count is given;
 *   - a debug-built library (as in Debian) asserts inside its loop: the loop is entered once. */
#ifndef HM_HARNESS_CELL_GBENCH_H
#define HM_HARNESS_CELL_GBENCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hm_gbench {
    const char *name;
    const char *json;    /* file for Google Benchmark's own output; "" for none */
    uint64_t iterations; /* units of each thread */
    uint64_t ops;        /* operations of all threads together */
    unsigned threads;
    double (*measure)(void *arg); /* does all the work; seconds, or negative on failure */
    void *arg;
};

/** Run one benchmark, once. Main thread. @return 0, or EIO when it did not run. */
int hm_gbench_run(const struct hm_gbench *what);

#ifdef __cplusplus
}
#endif

#endif
