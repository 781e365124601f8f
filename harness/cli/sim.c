/* heapmark sim: plays a script on one heap, and answers line by line. */
#include "harness/cell/memory.h"
#include "harness/cli/command.h"
#include "harness/plan/arm.h"
#include "harness/sim/heap.h"
#include "harness/sim/map.h"
#include "harness/sim/mutators.h"
#include "harness/sim/objects.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: heapmark sim -a ALLOC [--script FILE|-] [--map[=each]] [--width N]\n"
    "       heapmark sim -c COLL [-a ALLOC] [--script FILE|-]\n\n"
    "Plays a script on one heap, step by step, and answers each line with a row of\n"
    "CSV. '#' begins a comment in a script.\n\n"
    "  -a ALLOC         an allocator, with its parameters (first-fit:size=1K:align=1)\n"
    "  -c COLL          a collector, or a plug-in's path (./mine.so); -a is what it\n"
    "                   takes memory from (system)\n"
    "  --script FILE    the script; -, the default, is standard input\n"
    "  --map            draw the heap after the last row; --map=each: after each row\n"
    "  --width N        columns of the map, 64 to 400 (default: 80)\n\n"
    "Lines for an allocator:               rows op,id,size,offset,status\n"
    "  malloc ID SIZE                      realloc ID SIZE\n"
    "  calloc ID N SIZE                    aligned ID ALIGN SIZE\n"
    "  free ID                             also of what is free already\n"
    "  free ID+N                           a pointer N bytes inside the block\n"
    "  free !foreign                       a pointer that is not from this heap\n"
    "The status is ok, oom, not-allocated, double-free, inside-block or foreign; the\n"
    "offset counts from the arena's start, NA where there is none.\n\n"
    "Lines for a collector:                rows op,id,value\n"
    "  new ID SLOTS     a new object, which is a root\n"
    "  drop ID          it is no root any more\n"
    "  ref A SLOT B     slot SLOT (from 0) of A refers to B\n"
    "  clear A SLOT     and to nothing again\n"
    "  weak W ID        a weak reference to ID, with a callback: an object and a root\n"
    "  deref W          value: the ID that it leads to, empty if that is dead\n"
    "  finalizer ID [resurrect|collect|drop X]\n"
    "                   run once before it is freed\n"
    "  collect [GEN]    value: objects found unreachable, empty if not known\n"
    "  refcount A       value: references to it, roots included\n"
    "  stats            value: what the collector counts\n"
    "  threshold A B C  of the generations 0, 1 and 2; A = 0: none collects by itself\n"
    "  enable, disable  automatic collections\n"
    "  freeze           no collection looks at what there is now\n"
    "  unfreeze         they do again, as generation 2\n"
    "  count            value: the counts of the generations\n"
    "Before a line's row: 'finalized,ID,', 'callback,W,' and 'freed,ID,' for what it\n"
    "set off. A line that the collector does not offer is a bad line.\n\n"
    "An ID has 1 to 64 letters, digits, '_', '.' and '-'.\n\n"
    "Exit status: 0 done (an oom is an answer), 2 a bad line or wrong usage.\n\n"
    "examples:\n"
    "  printf 'malloc a 256\\nfree a\\n' | heapmark sim -a first-fit:size=1K --map\n"
    "  heapmark sim -c generational:auto=off --script cycle.heap\n";

struct options {
    const char *allocator; /* NULL: not given */
    const char *collector; /* NULL: none */
    const char *script;
    struct hm_sim_heap_options heap;
};

static int usage_error(const char *format, const char *word) {
    fputs("heapmark sim: ", stderr);
    fprintf(stderr, format, word);
    fputc('\n', stderr);
    return HM_EXIT_USAGE;
}

static int say(int bad, const struct hm_error *error) {
    fprintf(stderr, "heapmark sim: %s\n", error->line);
    return bad == EINVAL ? HM_EXIT_USAGE : HM_EXIT_FAILED;
}

/* A bad line is told with its place; what was answered before it stays. Before the first line it is
 * the heap that is bad. */
static int conclude(int bad, const struct hm_sim_script *script, const struct hm_error *error) {
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "heapmark sim: can not write: %s\n", strerror(errno));
        return HM_EXIT_FAILED;
    }
    if (!bad)
        return HM_EXIT_OK;
    if (script->number == 0)
        return say(bad, error);
    fprintf(stderr, "heapmark sim: %s:%ld: %s\n", script->name, script->number, error->line);
    return bad == EINVAL ? HM_EXIT_USAGE : HM_EXIT_FAILED;
}

static int play(const struct options *options, const struct hm_memory_stack *stack,
                const struct hm_collector_spec *collector, struct hm_sim_script *script) {
    struct hm_error error = {""};
    int bad = collector ? hm_sim_objects_play(collector, hm_memory_stack_top(stack), script,
                                              options->heap.out, &error)
                        : hm_sim_heap_play(stack, script, &options->heap, &error);
    int status = conclude(bad, script, &error);
    if (!bad && options->heap.map != HM_SIM_MAP_NONE && !hm_sim_heap_has_map(stack))
        fprintf(stderr, "heapmark sim: %s has no map\n", options->allocator);
    return status;
}

static int play_on(const struct options *options, const struct hm_allocator_spec *spec,
                   const struct hm_collector_spec *collector, struct hm_sim_script *script) {
    struct hm_memory_stack stack;
    int bad = hm_memory_stack_open(&stack, spec, 1);
    if (bad) {
        fprintf(stderr, "heapmark sim: can not open %s: %s\n", spec->text, strerror(bad));
        return bad == EINVAL ? HM_EXIT_USAGE : HM_EXIT_FAILED;
    }
    int status = HM_EXIT_FAILED;
    bad = hm_memory_stack_enter(&stack);
    if (bad)
        fprintf(stderr, "heapmark sim: can not enter %s: %s\n", spec->text, strerror(bad));
    else
        status = play(options, &stack, collector, script);
    if (!bad)
        hm_memory_stack_leave(&stack);
    hm_memory_stack_close(&stack);
    return status;
}

static int open_script(const char *path, struct hm_sim_script *out) {
    bool standard = strcmp(path, "-") == 0;
    *out = (struct hm_sim_script){.file = standard ? stdin : fopen(path, "re"),
                                  .name = standard ? "standard input" : path};
    if (out->file)
        return 0;
    fprintf(stderr, "heapmark sim: %s: %s\n", path, strerror(errno));
    return EINVAL;
}

/* The allocator is called in this process: a library would have to be under all of it. */
static int resolve(const struct options *options, struct hm_arm *arm,
                   struct hm_collector_spec *collector) {
    static const struct hm_request none;
    struct hm_error error = {""};
    int bad = hm_arm_resolve(options->allocator, &none, arm, &error);
    if (!bad && options->collector && hm_allocator_is_path(options->collector))
        bad = hm_collector_plugin_load(options->collector, &error);
    if (!bad && options->collector)
        bad = hm_collector_spec_parse(options->collector, collector, &error);
    char missing[256];
    if (!bad && options->collector && hm_collector_check(collector->part, missing, sizeof missing))
        bad = hm_fail(&error, EINVAL, "%s", missing);
    if (bad)
        return say(bad, &error);
    return arm->library[0]
               ? usage_error("%s is a library: only heapmark's own parts can be stepped",
                             options->allocator)
               : HM_EXIT_OK;
}

static int simulate(const struct options *options) {
    struct hm_arm arm = {.label = ""};
    struct hm_collector_spec collector;
    struct hm_sim_script script;
    int status = resolve(options, &arm, &collector);
    if (status != HM_EXIT_OK)
        return status;
    if (open_script(options->script, &script))
        return HM_EXIT_USAGE;
    status = play_on(options, &arm.spec, options->collector ? &collector : NULL, &script);
    if (script.file != stdin)
        fclose(script.file);
    return status;
}

static int parse_map(const char *word, struct hm_sim_heap_options *out) {
    out->map = word ? HM_SIM_MAP_EACH : HM_SIM_MAP_END;
    return word && strcmp(word, "each") != 0 ? usage_error("--map=%s: must be each", word)
                                             : HM_EXIT_OK;
}

static int parse_width(const char *word, struct hm_sim_heap_options *out) {
    int64_t width;
    if (hm_number_parse(word, 1000, &width) || width < HM_SIM_WIDTH_MIN || width > HM_SIM_WIDTH_MAX)
        return usage_error("--width %s: must be 64 to 400", word);
    out->width = (unsigned)width;
    return HM_EXIT_OK;
}

static int take_option(int option, char **argv, struct options *out) {
    switch (option) {
    case 'a':
        out->allocator = optarg;
        return HM_EXIT_OK;
    case 'c':
        out->collector = optarg;
        return HM_EXIT_OK;
    case 's':
        out->script = optarg;
        return HM_EXIT_OK;
    case 'm':
        return parse_map(optarg, &out->heap);
    case 'w':
        return parse_width(optarg, &out->heap);
    case ':':
        return usage_error("'%s' needs a value", argv[optind - 1]);
    default:
        return usage_error("unknown option '%s'; see 'heapmark sim --help'", argv[optind - 1]);
    }
}

static int run(int argc, char **argv) {
    static const struct option long_options[] = {{"script", required_argument, NULL, 's'},
                                                 {"map", optional_argument, NULL, 'm'},
                                                 {"width", required_argument, NULL, 'w'},
                                                 {NULL, 0, NULL, 0}};
    struct options options = {.script = "-", .heap = {.width = 80, .out = stdout}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":a:c:", long_options, NULL)) != -1) {
        int status = take_option(option, argv, &options);
        if (status != HM_EXIT_OK)
            return status;
    }
    if (optind < argc)
        return usage_error("'%s' is one word too many: a script comes with --script", argv[optind]);
    if (!options.allocator && !options.collector)
        return usage_error("which heap? give %s or -c COLL", "-a ALLOC");
    if (options.collector && options.heap.map != HM_SIM_MAP_NONE)
        return usage_error("%s draws an allocator's heap: it does not go with -c", "--map");
    if (!options.allocator)
        options.allocator = "system";
    return simulate(&options);
}

static const struct hm_command sim = {.name = "sim",
                                      .summary = "play a script on one heap, step by step",
                                      .usage = usage,
                                      .run = run};
HM_REGISTER(hm_command, sim);
