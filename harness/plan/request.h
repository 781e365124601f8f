/* What the user asked for, before it is checked against the parts and the machine: the command line
 * and the job file end up here.
 *
 * A request holds one or more matrices (each is workloads x allocators x collectors x threads) and
 * named configurations of parts, which a matrix may use like parts. */
#ifndef HM_HARNESS_PLAN_REQUEST_H
#define HM_HARNESS_PLAN_REQUEST_H

#include "harness/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    HM_REQUEST_MATRICES = 16,
    HM_REQUEST_CONFIGS = 64,
    HM_CONFIG_ENV = 8,
};

/** `[allocator je-1arena]`: a part with parameters and environment under a name of its own. */
struct hm_config {
    char *kind; /* "allocator", "collector" or "workload" */
    char *name;
    char *use;                /* spec, or path of a library */
    char *env[HM_CONFIG_ENV]; /* "NAME=VALUE" for the measured child */
    unsigned env_count;
};

/** Comma-separated lists, as given; NULL where the default is meant. */
struct hm_matrix {
    char *name;
    char *allocators;
    char *collectors;
    char *workloads;
    char *threads;
    char *sweep; /* sweeps (sweep.h) with blanks between them */
};

struct hm_programs; /* program.h */

struct hm_request {
    struct hm_matrix matrices[HM_REQUEST_MATRICES];
    unsigned matrix_count;
    struct hm_config configs[HM_REQUEST_CONFIGS];
    unsigned config_count;
    unsigned rounds;  /* 0: the mode's own */
    bool auto_rounds; /* until each comparison is decided, or the budget is spent */
    double budget_s;  /* 0: the default */
    char *mode;       /* "quick", "default", "rigorous", or NULL */
    char *pin;        /* NULL: core */
    char *threading;  /* NULL: isolated */
    char *metrics;    /* NULL: time,space */
    char *margin;     /* "2%", or NULL */
    char *baseline;   /* allocator's label; NULL: the first of each matrix */
    uint64_t seed;
    double timeout_s; /* 0: the default */
    double turn_ms;   /* 0: the default; negative: no turns */
    uint64_t rate; /* calls per second of each thread in the latency pass; 0: as fast as they go */
    const struct hm_programs
        *programs; /* in the place of the workloads of all matrices; borrowed */
    bool optional; /* parts that are missing on this machine are skipped, not refused */
    bool no_floor; /* without the rows that tell what the harness itself costs */
};

/** Start an empty request. Free it with hm_request_free, whatever else failed. */
void hm_request_init(struct hm_request *request);
void hm_request_free(struct hm_request *request);

/** Set one of the run's keys (rounds, budget, mode, pin, metrics, margin, baseline, seed, timeout, rate,
 * turns, optional, floor) or of a matrix (allocators, collectors, workloads, threads, sweep).
 *  @return 0, ENOENT for an unknown key, or EINVAL; the line says what is wrong */
int hm_request_set(struct hm_request *request, const char *key, const char *value,
                   struct hm_error *error);
int hm_matrix_set(struct hm_matrix *matrix, const char *key, const char *value);
void hm_matrix_free(struct hm_matrix *matrix);
/** As hm_matrix_set, but a list that is there already goes on with `value`. @return 0, ENOENT or ENOMEM */
int hm_matrix_extend(struct hm_matrix *matrix, const char *key, const char *value);

/** What an item of a list stands for: what the configuration uses that it names, with the parameters that
 *  follow the name (`NAME:key=value`); else itself. @param kind "allocator", "collector" or "workload"
 *  @param use room for the text  @return the configuration, or NULL */
const struct hm_config *hm_request_config(const struct hm_request *request, const char *kind,
                                          const char *item, char *use, size_t size);

/** Read a job file (INI) into the request. @return 0, or an errno with a line that has the file's
 *  name and the line's number */
int hm_job_read(struct hm_request *request, const char *path, struct hm_error *error);

#endif
