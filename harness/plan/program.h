/* A program that is measured as a whole: what is started, and with what.
 *
 * Vocabulary
 *   command   the words of a program's command line, NULL behind the last; the first is found in PATH
 *   client    where there is a server, the command is its client: the time is the client's, the rest is
 *             the server's, and the server is what the allocator is put under
 *   scratch   an empty folder that the program works in, made for each process and removed after it */
#ifndef HM_HARNESS_PLAN_PROGRAM_H
#define HM_HARNESS_PLAN_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    HM_PROGRAM_NAME = 65, /* bytes of a name, with its end */
    HM_PROGRAM_ENV = 16,
};

struct hm_command_line {
    char **words;        /* NULL where there is none; owned */
    char path[PATH_MAX]; /* of the first one */
};

struct hm_program {
    char name[HM_PROGRAM_NAME];
    char *text; /* the command as one line; owned */
    struct hm_command_line command, server, ready;
    char *input;               /* file for its standard input; NULL: empty; owned */
    char *env[HM_PROGRAM_ENV]; /* "NAME=VALUE", owned */
    unsigned env_count;
    bool scratch;
    bool from_suite;
    int expect;        /* the exit status of a good run */
    char missing[256]; /* why it can not run on this machine; "" when it can */
};

struct hm_programs {
    struct hm_program *at; /* owned */
    size_t count;
    bool any_child;   /* children of the command may run on another allocator */
    bool same_output; /* all runs of a program must write the same */
    bool keep_output; /* in the run's folder, output/ */
    bool no_output;   /* to nowhere, and not looked at */
};

#endif
