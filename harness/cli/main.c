/* heapmark: finds the subcommand and hands over. */
#include "harness/cli/command.h"
#include "harness/plan/registry.h"

#include <stdio.h>
#include <string.h>

extern const struct hm_command *const __start_hm_command_parts[];
extern const struct hm_command *const __stop_hm_command_parts[];

static void print_usage(FILE *out) {
    fputs("heapmark " HM_VERSION ": measures heaps, allocators and collectors together\n\n"
          "usage: heapmark COMMAND [OPTIONS]\n\n",
          out);
    for (const struct hm_command *const *c = __start_hm_command_parts; c < __stop_hm_command_parts;
         c++)
        if (!(*c)->internal)
            fprintf(out, "  %-9s %s\n", (*c)->name, (*c)->summary);
    fputs("\n'heapmark COMMAND --help' tells the options of a command.\n"
          "'heapmark run' without options measures a matrix of its own choice.\n",
          out);
}

static const struct hm_command *find(const char *name) {
    for (const struct hm_command *const *c = __start_hm_command_parts; c < __stop_hm_command_parts;
         c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static int unknown(const char *name) {
    const char *names[64];
    size_t count = 0;
    for (const struct hm_command *const *c = __start_hm_command_parts;
         c < __stop_hm_command_parts && count < 64; c++)
        if (!(*c)->internal)
            names[count++] = (*c)->name;
    const char *near = hm_nearest(name, names, count);
    if (near)
        fprintf(stderr, "heapmark: unknown command '%s'; did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "heapmark: unknown command '%s'; 'heapmark --help' names them\n", name);
    return HM_EXIT_USAGE;
}

static bool asks_for_help(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("heapmark: a command is missing; 'heapmark --help' names them\n", stderr);
        return HM_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return HM_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("heapmark " HM_VERSION);
        return HM_EXIT_OK;
    }
    const struct hm_command *command = find(argv[1]);
    if (!command)
        return unknown(argv[1]);
    if (command->usage && asks_for_help(argc - 1, argv + 1)) {
        fputs(command->usage, stdout);
        return HM_EXIT_OK;
    }
    return command->run(argc - 1, argv + 1);
}
