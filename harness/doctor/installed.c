/* What is optional and is there. */
#include "harness/doctor/installed.h"

#include "harness/machine/elf.h"
#include "harness/machine/executable.h"
#include "harness/machine/preload.h"
#include "harness/plan/registry.h"

#include <stdio.h>

typedef void found_fn(void *arg, const struct hm_installed *one);

static void look_for_allocators(found_fn *found, void *arg) {
    size_t count;
    const struct hm_allocator *const *parts = hm_allocators(&count);
    for (size_t i = 0; i < count; i++) {
        const char *library = parts[i]->library ? parts[i]->library : parts[i]->needs;
        struct hm_installed one = {.kind = "allocator",
                                   .name = parts[i]->name,
                                   .purpose = "",
                                   .package = parts[i]->package};
        if (!library)
            continue;
        hm_library_find(library, one.path, sizeof one.path);
        found(arg, &one);
    }
}

/* One that was built without its library's headers has no open(). */
static void look_for_collectors(found_fn *found, void *arg) {
    size_t count;
    const struct hm_collector *const *parts = hm_collectors(&count);
    for (size_t i = 0; i < count; i++) {
        const struct hm_collector *c = parts[i];
        struct hm_installed one = {
            .kind = "collector", .name = c->name, .purpose = "", .package = c->package};
        if (c->variant_of || (c->open && !c->needs))
            continue;
        if (c->open)
            hm_library_find(c->needs, one.path, sizeof one.path);
        found(arg, &one);
    }
}

static void look_for_tools(found_fn *found, void *arg) {
    static const struct hm_installed tools[] = {
        {"tool", "gnuplot", "figures", "gnuplot-nox", ""},
        {"tool", "valgrind", "instruction counts", "valgrind", ""},
    };
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        struct hm_installed one = tools[i];
        if (hm_executable_find(one.name, one.path))
            one.path[0] = '\0';
        found(arg, &one);
    }
}

static void look_for_preloads(found_fn *found, void *arg) {
    static const struct hm_installed libraries[] = {
        {"preload", "witness", "heapmark exec", NULL, ""},
        {"preload", "pool", "pool under whole programs", NULL, ""},
        {"preload", "debug", "debug+pool under whole programs", NULL, ""},
        {"preload", "traced", "traced+pool under whole programs", NULL, ""},
        {"preload", "record", "heapmark record", NULL, ""},
        {"preload", "record-stacks", "stacks in recordings", NULL, ""},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        struct hm_installed one = libraries[i];
        hm_preload_find(one.name, one.path, sizeof one.path);
        found(arg, &one);
    }
}

void hm_installed_look(found_fn *found, void *arg) {
    look_for_allocators(found, arg);
    look_for_collectors(found, arg);
    look_for_tools(found, arg);
    look_for_preloads(found, arg);
}
