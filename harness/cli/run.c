/* heapmark run: measures a matrix of cells. */
#include "harness/cli/carry.h"
#include "harness/cli/command.h"
#include "harness/cli/options.h"

#include <stdio.h>

static const char usage[] =
    "usage: heapmark run [-a ALLOC,..] [-c COLL,..] [-w WORKLOAD,..] [-t 1,2,..]\n"
    "                    [OPTIONS] [JOBFILE]\n\n"
    "Measures every cell of a matrix in processes of its own, in rounds of random\n"
    "order, and leaves samples.csv, stats.csv, series.csv, run.json and plots/.\n"
    "Without lists and job file it measures the default matrix.\n\n"
    "  -a LIST          allocators: parts with parameters (pool:arena=256K), or the\n"
    "                   path of any shared library; the first is the baseline\n"
    "  -c LIST          collectors, for object workloads\n"
    "  -w LIST          workloads; to those of threads -a and -c do not matter\n"
    "  -t LIST          numbers of threads\n"
    "  --sweep PART:KEY=V1,V2,..  adds PART, and PART at each of these values of one\n"
    "                   parameter; several lists are combined, and --sweep may be\n"
    "                   given again\n"
    "  -o DIR           where the results go (default: results/DATE, with a link\n"
    "                   results/latest); must be new or empty\n"
    "  --quick          6 rounds of 15 ms instead of 12 of 30 ms\n"
    "  --rigorous       30 rounds of 60 ms\n"
    "  --rounds N       another number of rounds, or auto: until each comparison is\n"
    "                   decided or the budget is spent, at most 60 (--quick 27,\n"
    "                   --rigorous 141)\n"
    "  --budget TIME    of --rounds auto: 90s, 10m (default), 2h\n"
    "  --pin POLICY     core (default), smt, spread or none\n"
    "  --threading HOW  what the threads of an object workload share: isolated\n"
    "                   (default: a collector each), gil (one, under a global lock),\n"
    "                   or free (one, with no such lock)\n"
    "  --metrics LIST   time, space (default: both), idle (space, and what is given\n"
    "                   back a second after the work), latency (of single calls),\n"
    "                   instructions (under valgrind: the same in each run), counters\n"
    "                   (of the processor, where it has any), warmup (each iteration\n"
    "                   of a process, from the first one on)\n"
    "  --rate N         in the latency pass: calls (of objects: whole operations) are\n"
    "                   due at fixed times, N a second of each thread, and counted\n"
    "                   from then (default: one by one)\n"
    "  --turns MS|off   the arms of a cell live at once and work in turns of MS\n"
    "                   milliseconds (default: 2, where that lowers the error:\n"
    "                   allocators on heap workloads)\n"
    "  --margin P       differences below P percent are not told (default 2%)\n"
    "  --baseline NAME  the allocator that the others are compared with\n"
    "  --seed N         of the operations and of the order (default 1)\n"
    "  --timeout S      seconds for one process (default 60)\n"
    "  --require-quiet  do not start where the machine is bad (heapmark doctor), and\n"
    "                   mark the run when it gets worse meanwhile\n"
    "  --resume DIR     go on with a run that was stopped, with the same options,\n"
    "                   builds and machine; --force: whatever has changed (recorded)\n"
    "  --dry-run        print the cells and the estimated time, and stop\n"
    "  --no-plots       leave the figures out\n\n"
    "Exit status: 0 done, 1 cells failed (all others are kept), 2 wrong usage or\n"
    "bad input, 130 and 143 interrupted.\n\n"
    "examples:\n"
    "  heapmark run -a system,jemalloc,./libmine.so -w churn,server -t 1,2\n"
    "  heapmark run -a system,pool -c refcount,generational -w trees --quick\n"
    "  heapmark run -a system,./libmine.so -w churn --metrics instructions\n"
    "  heapmark run -w trees --sweep generational:threshold0=100,700,2000,10000\n"
    "  heapmark run my-matrix.ini --dry-run\n";

static int run(int argc, char **argv) {
    struct hm_run_options options;
    struct hm_error error = {""};
    int status = HM_EXIT_USAGE;
    if (hm_run_options_parse(argc, argv, &options, &error)) {
        fprintf(stderr, "heapmark run: %s\n", error.line);
    } else {
        const struct hm_carry how = {.command = "run",
                                     .argc = argc,
                                     .argv = argv,
                                     .folder = options.folder,
                                     .resume = options.resume,
                                     .force = options.force,
                                     .dry_run = options.dry_run,
                                     .no_plots = options.no_plots,
                                     .require_quiet = options.require_quiet};
        status = hm_carry_out(&how, &options.request);
    }
    hm_run_options_free(&options);
    return status;
}

static const struct hm_command run_command = {
    .name = "run", .summary = "measure a matrix of cells", .usage = usage, .run = run};
HM_REGISTER(hm_command, run_command);
