/* heapmark trace: finds the verb and hands over. */
#include "harness/cli/command.h"
#include "harness/plan/registry.h"
#include "harness/trace/verb.h"

#include <stdio.h>
#include <string.h>

extern const struct hm_trace_verb *const __start_hm_trace_verb_parts[];
extern const struct hm_trace_verb *const __stop_hm_trace_verb_parts[];

static const struct hm_trace_verb *const *const verbs = __start_hm_trace_verb_parts;

static size_t verb_count(void) {
    return (size_t)(__stop_hm_trace_verb_parts - __start_hm_trace_verb_parts);
}

static void print_usage(void) {
    puts("usage: heapmark trace VERB [OPTIONS] FILE\n\n"
         "Recorded heaps, as 'heapmark record' makes them.\n");
    for (size_t i = 0; i < verb_count(); i++)
        printf("  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
    puts("\n'heapmark trace VERB --help' tells the options of a verb.");
}

static const struct hm_trace_verb *find(const char *name) {
    for (size_t i = 0; i < verb_count(); i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static int unknown(const char *name) {
    const char *names[64];
    size_t count = 0;
    for (; count < verb_count() && count < sizeof names / sizeof *names; count++)
        names[count] = verbs[count]->name;
    const char *near = hm_nearest(name, names, count);
    if (near)
        fprintf(stderr, "heapmark trace: unknown verb '%s'; did you mean '%s'?\n", name, near);
    else
        fprintf(stderr, "heapmark trace: unknown verb '%s'; 'heapmark trace' names them\n", name);
    return HM_EXIT_USAGE;
}

static bool is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static bool asks_for_help(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_help(argv[i]))
            return true;
    return false;
}

static int run(int argc, char **argv) {
    if (argc < 2 || is_help(argv[1])) {
        print_usage();
        return HM_EXIT_OK;
    }
    const struct hm_trace_verb *verb = find(argv[1]);
    if (!verb)
        return unknown(argv[1]);
    if (asks_for_help(argc - 1, argv + 1)) {
        fputs(verb->usage, stdout);
        return HM_EXIT_OK;
    }
    return verb->run(argc - 1, argv + 1);
}

/* Its verbs have a help of their own. */
static const struct hm_command trace = {
    .name = "trace", .summary = "what a recorded heap holds", .run = run};
HM_REGISTER(hm_command, trace);
