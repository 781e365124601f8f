/* How the image ends: a process that is not the command's has nobody else to tell with what status.
 *
 * A child of vfork ends in its parent's memory, and a forked one that made no call still has its
 * parent's spool in view: the process number tells them apart from the image itself. */
#include "preload/record.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef int main_fn(int, char **, char **);
typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                     void *);
typedef void exit_fn(int);

EXPORT int __libc_start_main(main_fn *program, int count, char **words, void (*init)(void),
                             void (*fini)(void), void (*loader_fini)(void), void *stack_end);

static main_fn *program_main;
static struct { exit_fn *exit, *quick_exit, *_exit; } ends;

static int run_main(int count, char **words, char **environment) {
    int status = program_main(count, words, environment);
    hm_record_ends(status);
    return status;
}

int __libc_start_main(main_fn *program, int count, char **words, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end) {
    start_fn *start;
    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    program_main = program;
    return start(run_main, count, words, init, fini, loader_fini, stack_end);
}

/* Only what ends before the constructors is looked up here: the loader has locks, which a handler, or
 * the child of a process with threads, must not wait for. */
static __attribute__((noreturn)) void end_by(exit_fn *next, const char *name, int status) {
    hm_record_ends(status);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, name);
    next(status);
    __builtin_unreachable();
}

EXPORT void exit(int status) {
    end_by(ends.exit, "exit", status);
}

EXPORT void quick_exit(int status) {
    end_by(ends.quick_exit, "quick_exit", status);
}

EXPORT void _exit(int status) {
    end_by(ends._exit, "_exit", status);
}

EXPORT void _Exit(int status) {
    end_by(ends._exit, "_exit", status);
}

__attribute__((constructor)) static void look_up_ends(void) {
    *(void **)&ends.exit = dlsym(RTLD_NEXT, "exit");
    *(void **)&ends.quick_exit = dlsym(RTLD_NEXT, "quick_exit");
    *(void **)&ends._exit = dlsym(RTLD_NEXT, "_exit");
}
