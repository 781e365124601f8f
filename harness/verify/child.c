/* The verifying process: opens the heap and runs one property. */
#include "harness/verify/child.h"

#include "harness/verify/arena.h"

#include "harness/cell/plugin.h"
#include "harness/cell/proof.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int take(struct hm_verify_task *out, int option, const char *value, struct hm_error *error) {
    switch (option) {
    case 'a':
        return hm_allocator_spec_parse(value, &out->allocator, error);
    case 'P':
        out->plugin = true;
        return hm_plugin_load(value, error);
    case 'p':
        out->property = hm_property_find(value);
        return out->property ? 0 : hm_fail(error, EINVAL, "no property '%s'", value);
    case 'l':
        snprintf(out->library, sizeof out->library, "%s", value);
        return 0;
    case 'n':
        out->ops = strtoull(value, NULL, 10);
        return 0;
    case 's':
        out->seed = strtoull(value, NULL, 10);
        return 0;
    case 't':
        out->timeout_s = strtod(value, NULL);
        return 0;
    case 'u':
        out->unaligned = true;
        return 0;
    case 'f':
        out->failed_at = strtoull(value, NULL, 10);
        out->shrink = true;
        return 0;
    default:
        return hm_fail(error, EINVAL, "unknown option");
    }
}

int hm_verify_task_parse(int argc, char **argv, struct hm_verify_task *out,
                         struct hm_error *error) {
    static const struct option options[] = {
        {"allocator", required_argument, NULL, 'a'}, {"property", required_argument, NULL, 'p'},
        {"library", required_argument, NULL, 'l'},   {"ops", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},      {"timeout", required_argument, NULL, 't'},
        {"shrink", required_argument, NULL, 'f'},    {"plugin", required_argument, NULL, 'P'},
        {"unaligned", no_argument, NULL, 'u'},       {NULL, 0, NULL, 0}};
    int option;
    memset(out, 0, sizeof *out);
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int bad = take(out, option, optarg, error);
        if (bad)
            return bad;
    }
    if (!out->allocator.count || !out->property)
        return hm_fail(error, EINVAL, "--allocator and --property are needed");
    return 0;
}

/* What the base declares; a parameter named `align` is its granule, and may make it less. */
static size_t declared_alignment(const struct hm_allocator_spec *spec) {
    const struct hm_allocator *base = spec->parts[spec->count - 1];
    size_t alignment = base->alignment ? base->alignment : 16;
    for (size_t i = 0; base->params && base->params[i].name; i++) {
        size_t granule = (size_t)spec->params[spec->count - 1].values[i].number;
        if (strcmp(base->params[i].name, "align") == 0 && granule < alignment)
            alignment = granule;
    }
    return alignment;
}

static bool any_has(const struct hm_allocator_spec *spec, unsigned cap) {
    for (unsigned i = 0; i < spec->count; i++)
        if (spec->parts[i]->caps & cap)
            return true;
    return false;
}

/* A library that is given by its path is excused from nothing. */
static const struct hm_allocator *known_part(const struct hm_verify_task *task) {
    const struct hm_allocator *base = task->allocator.parts[task->allocator.count - 1];
    bool by_name = !task->plugin && (base->library || !task->library[0]);
    return by_name && base->deviations && base->version ? base : NULL;
}

/* The part that can be reset, if nothing lies above it but locks: other layers keep books of it. */
static const struct hm_memory *resettable(const struct hm_verify *v) {
    for (unsigned i = 0; i < v->stack->count; i++) {
        unsigned caps = v->stack->open[i].allocator->caps;
        if (caps & HM_CAP_RESET)
            return &v->stack->open[i];
        if (!(caps & HM_CAP_LOCKS))
            break;
    }
    return NULL;
}

static struct hm_board *map_board(void) {
    void *board =
        mmap(NULL, sizeof(struct hm_board), PROT_READ | PROT_WRITE, MAP_SHARED, HM_BOARD_FD, 0);
    if (board != MAP_FAILED)
        return board;
    fputs("heapmark verify-child: there is no board to write to\n", stderr);
    _exit(2);
}

static void open_heap(struct hm_verify *v, const struct hm_verify_task *task) {
    const struct hm_allocator_spec *spec = &task->allocator;
    int bad = hm_memory_stack_open(v->stack, spec, task->property->threads);
    if (bad == ENOTSUP && task->property->threads > 1)
        hm_verify_unsupported(v, "it can not be opened for several threads");
    if (bad)
        hm_verify_fail(v, "can not open the heap: %s", strerror(bad));
    v->memory = hm_memory_stack_top(v->stack);
    v->is_process = v->memory->shape == HM_SHAPE_LIBC && v->memory->libc.malloc == malloc;
    v->promised = v->memory->shape == HM_SHAPE_HEAP &&
                  !(spec->parts[spec->count - 1]->caps & HM_CAP_LAYER) &&
                  v->stack->open[spec->count - 1].shape == HM_SHAPE_HEAP;
    v->resets = resettable(v);
    bad = hm_memory_stack_enter(v->stack);
    if (bad)
        hm_verify_fail(v, "can not enter the heap: %s", strerror(bad));
    hm_arena_measure(v, spec);
}

void hm_verify_child(const struct hm_verify_task *task) {
    static struct hm_memory_stack stack; /* may be used until the very end of the process */
    static struct hm_verify v;
    char path[PATH_MAX];
    struct hm_error error = {""};
    const struct hm_allocator_spec *spec = &task->allocator;
    v = (struct hm_verify){.property = task->property,
                           .stack = &stack,
                           .board = map_board(),
                           .library = task->library,
                           .ops = task->ops,
                           .seed = task->seed,
                           .timeout_s = task->timeout_s,
                           .failed_at = task->failed_at,
                           .unaligned = task->unaligned,
                           .alignment = declared_alignment(spec),
                           .may_run_out = any_has(spec, HM_CAP_BOUNDED),
                           .known = known_part(task),
                           .no_reuse = any_has(spec, HM_CAP_NO_REUSE),
                           .no_usable = any_has(spec, HM_CAP_NO_USABLE),
                           .no_aligned = any_has(spec, HM_CAP_NO_ALIGNED)};
    if (hm_proof_check(task->library, path, sizeof path, &error))
        hm_verify_fail(&v, "%s", error.line);
    const struct hm_allocator *alone = hm_allocator_spec_alone(spec);
    if (task->property->threads > 1 && alone)
        hm_verify_unsupported(&v, "%s is not for several threads%s", alone->name,
                              hm_allocator_alone_why(alone));
    open_heap(&v, task);
    if (task->shrink)
        task->property->shrink(&v);
    else
        task->property->run(&v);
    hm_verify_conclude(&v, HM_CONFORM_PASSED);
    _exit(0);
}
