/* heapmark cell: the measured process. Called by heapmark itself. */
#include "harness/cell/channel.h"
#include "harness/cell/child.h"
#include "harness/cli/command.h"

#include <stdio.h>

static const char usage[] =
    "usage: heapmark cell --pass=PASS --allocator=SPEC --workload=SPEC --cpus=LIST\n"
    "                     --nonce=TEXT [--collector=SPEC] [--units=N] [--warmup=N]\n"
    "                     [--spin=NS] [--seed=N] [--library=PATH] [--gbench=FILE]\n"
    "                     [--name=TEXT] [--plugin=PATH] [--slices=N]\n\n"
    "One measured process of 'heapmark run', which reports on descriptor 3.\n";

static int run(int argc, char **argv) {
    struct hm_cell_config config;
    struct hm_error error;
    int bad = hm_cell_config_parse(argc, argv, &config, &error);
    if (bad) {
        fprintf(stderr, "heapmark cell: %s\n", error.line);
        hm_tell("fail invalid %s", error.line);
        hm_tell_flush();
    } else {
        hm_cell_child(&config);
    }
    hm_cell_config_free(&config);
    return bad ? HM_EXIT_USAGE : HM_EXIT_OK;
}

static const struct hm_command cell = {.name = "cell",
                                       .summary = "one measured process",
                                       .usage = usage,
                                       .internal = true,
                                       .run = run};
HM_REGISTER(hm_command, cell);
