/* Where a checking process has crashed.
 *
 * The handler looks the function up, which is allowed to no handler; but the process is dead already, and
 * one that hangs here is ended by its parent. */
#include "harness/verify_gc/crash.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum {
    STACK_BYTES = 64 << 10,
    NEAR_NULL = 4096, /* an address below is that of a member, or an element, of NULL */
};

static struct hm_check_board *watched;

static const void *place_of(const void *context) {
#if defined __x86_64__
    return (const void *)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
    return (const void *)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return NULL;
#endif
}

/* Of the program itself nothing is told: the property says more. */
static void note(int number, siginfo_t *info, void *context) {
    Dl_info where, own;
    const void *place = place_of(context);
    (void)number;
    if (!place || !dladdr(place, &where) || !where.dli_fname ||
        !dladdr((const void *)&watched, &own) || where.dli_fbase == own.dli_fbase)
        return;
    char at[24] = "";
    uintptr_t address = (uintptr_t)info->si_addr;
    if (info->si_code == SEGV_MAPERR && address < NEAR_NULL)
        snprintf(at, sizeof at, ", at address %u", (unsigned)address);
    const char *slash = strrchr(where.dli_fname, '/');
    snprintf(watched->crash, sizeof watched->crash, " in %s%s%s%s%s",
             where.dli_sname ? where.dli_sname : "", where.dli_sname ? " of " : "",
             slash ? slash + 1 : where.dli_fname, at,
             watched->nested ? ", in a collection that a finalizer asked for" : "");
}

void hm_crash_watch(struct hm_check_board *board) {
    static char stack[STACK_BYTES];
    const stack_t aside = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = note,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
    watched = board;
    sigaltstack(&aside, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}
