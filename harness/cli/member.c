/* heapmark member: one of the processes of a cell whose workload has several. Called by heapmark itself. */
#include "harness/cli/command.h"
#include "workloads/process/crew.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark member --segment=FD --index=N\n\n"
    "One process of a workload that has several, which works in memory that it\n"
    "shares with the others: descriptor FD, inherited from 'heapmark cell'.\n";

/* @return the number behind the option's name, or -1 */
static int number_of(const char *argument, const char *option) {
    size_t length = strlen(option);
    char *end;
    if (strncmp(argument, option, length) != 0 || !argument[length])
        return -1;
    long number = strtol(argument + length, &end, 10);
    return *end || number < 0 || number > INT_MAX ? -1 : (int)number;
}

static int run(int argc, char **argv) {
    int segment = argc == 3 ? number_of(argv[1], "--segment=") : -1;
    int index = argc == 3 ? number_of(argv[2], "--index=") : -1;
    if (segment < 0 || index < 0) {
        fputs("heapmark member: needs --segment and --index; 'heapmark cell' calls it\n", stderr);
        return HM_EXIT_USAGE;
    }
    return hm_crew_serve(segment, (unsigned)index);
}

static const struct hm_command member = {.name = "member",
                                         .summary = "one process of a workload that has several",
                                         .usage = usage,
                                         .internal = true,
                                         .run = run};
HM_REGISTER(hm_command, member);
