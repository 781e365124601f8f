/* The arms of allocators_test: which allocators, with which parameters, on how many threads.
 *
 *   arm   an allocator with its defaults, or with one choice parameter set to another word, and a
 *         number of threads */
#ifndef HM_TESTS_CONFORMANCE_HEAP_ARMS_H
#define HM_TESTS_CONFORMANCE_HEAP_ARMS_H

#include "allocators/allocator.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct hm_allocator *const __start_hm_allocator_parts[];
extern const struct hm_allocator *const __stop_hm_allocator_parts[];

enum {
    MAX_PARAMS = 16,
    MAX_ARMS = 256,
    MAX_THREADS = 4,
    SMALL_ARENA = 2 << 20,
};

struct arm {
    const struct hm_allocator *allocator;
    struct hm_value values[MAX_PARAMS];
    unsigned threads;
    char label[96];
};

static const struct hm_allocator *find_allocator(const char *name) {
    const struct hm_allocator *const *part = __start_hm_allocator_parts;
    while (part < __stop_hm_allocator_parts && strcmp((*part)->name, name) != 0)
        part++;
    return part < __stop_hm_allocator_parts ? *part : NULL;
}

static struct arm arms[MAX_ARMS];
static unsigned arm_count;

static void shrink_arena(struct arm *arm) {
    const struct hm_param *params = arm->allocator->params;
    for (size_t i = 0; params && params[i].name; i++) {
        if (strcmp(params[i].name, "size") == 0)
            arm->values[i].number = SMALL_ARENA;
    }
}

static bool malloc_is_from(const char *library) {
    Dl_info info;
    void *entry = dlsym(RTLD_DEFAULT, "malloc");
    return entry && dladdr(entry, &info) && info.dli_fname && strstr(info.dli_fname, library);
}

/* In a process with a library for its malloc, only that one is tested. */
static bool is_testable(const struct hm_allocator *allocator) {
    if (allocator->library)
        return malloc_is_from(allocator->library);
    if (allocator->needs && !dlopen(allocator->needs, RTLD_NOW | RTLD_LOCAL))
        return false;
    for (const struct hm_allocator *const *part = __start_hm_allocator_parts;
         part < __stop_hm_allocator_parts; part++) {
        if ((*part)->library && malloc_is_from((*part)->library))
            return false;
    }
    return true;
}

static struct arm *add_arm(const struct hm_allocator *allocator, unsigned threads) {
    if (arm_count == MAX_ARMS) {
        fprintf(stderr, "more than %d arms\n", MAX_ARMS);
        exit(1);
    }
    struct arm *arm = &arms[arm_count++];
    *arm = (struct arm){.allocator = allocator, .threads = threads};
    snprintf(arm->label, sizeof arm->label, "%s, %u threads", allocator->name, threads);
    for (size_t i = 0; i < MAX_PARAMS && allocator->params && allocator->params[i].name; i++)
        arm->values[i] = (struct hm_value){allocator->params[i].initial, ""};
    return arm;
}

static void add_choices(const struct hm_allocator *allocator) {
    const struct hm_param *params = allocator->params;
    for (size_t i = 0; params && params[i].name; i++) {
        for (int64_t word = 0; params[i].kind == HM_PARAM_CHOICE && word <= params[i].max; word++) {
            if (word == params[i].initial)
                continue;
            struct arm *arm = add_arm(allocator, 1);
            arm->values[i].number = word;
            shrink_arena(arm); /* a choice may be a slow one */
            if (allocator->conflict && allocator->conflict(arm->values)) {
                arm_count--;
                continue;
            }
            snprintf(arm->label, sizeof arm->label, "%s:%s=#%d", allocator->name, params[i].name,
                     (int)word);
        }
    }
}

static void add_arms(const struct hm_allocator *allocator) {
    if (!is_testable(allocator)) {
        if (allocator->library)
            printf("skipped: %s needs LD_PRELOAD=%s\n", allocator->name, allocator->library);
        else
            printf("skipped: %s can not be tested in this process\n", allocator->name);
        return;
    }
    add_arm(allocator, 1);
    if (allocator->caps & HM_CAP_THREADS) {
        add_arm(allocator, 2);
        add_arm(allocator, 4);
    }
    add_choices(allocator);
}

#endif
