#!/usr/bin/env bash
# What heapmark record writes down is what the program did, however it ends and whatever it starts.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >program.c <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
/* No other call of the program has this size. */
#define MARK 7777

static void family(void) {
    void *volatile p = malloc(MARK), *q = NULL;
    free(p);
    p = calloc(3, MARK); free(p);
    p = calloc(70000, 3); free(p);
    p = malloc(20); p = realloc(p, MARK); free(p);
    p = realloc(NULL, MARK + 1); p = realloc(p, 0);
    p = malloc(30); p = reallocarray(p, 5, MARK); free(p);
    p = aligned_alloc(64, MARK + 1); free(p);
    if (posix_memalign((void **)&q, 128, MARK)) abort();
    p = q; errno = 77; free(p);
    if (errno != 77) abort();
    p = memalign(4096, MARK); free(p);
    p = valloc(MARK); free(p);
    p = pvalloc(MARK); (void)malloc_usable_size(p); free(p);
    p = malloc(100000000); free(p);
    p = malloc((size_t)1 << 60);
    if (p || errno != ENOMEM) abort();
    p = malloc(40);
    if (reallocarray(p, (size_t)1 << 40, (size_t)1 << 40) || errno != ENOMEM) abort();
    free(p);
    free(NULL);
}

static void *volatile slot[1000];
static void *make(void *none) { for (int i = 0; i < 1000; i++) slot[i] = malloc(MARK); return none; }
static void *drop(void *none) { for (int i = 0; i < 1000; i++) free(slot[i]); return none; }
static void in_thread(void *(*work)(void *)) {
    pthread_t t;
    pthread_create(&t, NULL, work, NULL);
    pthread_join(t, NULL);
}

/* One after another; the process has no more mappings than with one. */
static void *once(void *none) { free(malloc(MARK)); return none; }
static void ended(void) {
    int lines = 0;
    for (int i = 0; i < 300; i++) in_thread(once);
    FILE *maps = fopen("/proc/self/maps", "r");
    for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
    if (lines > 200) abort();
}

/* Of a small size, for want of room: the address that is written down is NULL. */
static void starve(void) {
    struct rlimit limit = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_AS, &limit);
    for (int i = 0; i < 2000; i++) if (!malloc(50000)) free(NULL);
}

static volatile sig_atomic_t ticks;
static void tick(int number) { void *p = malloc(MARK); (void)number; ticks++; free(p); }
/* The C library's malloc may not be interrupted by itself: what is, frees nothing. */
static void storm(void) {
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0}};
    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 300000 || ticks < 100; i++) free(NULL);
    setitimer(ITIMER_REAL, &never, NULL);
}

static void children(char *self) {
    char *argv[] = {self, "leaf", NULL};
    pid_t pid;
    void *volatile kept = malloc(MARK);
    if (!(pid = fork())) { free(kept); free(malloc(11)); _exit(5); }
    waitpid(pid, NULL, 0);
    if (!(pid = vfork())) { execv(self, argv); _exit(9); }
    waitpid(pid, NULL, 0);
    posix_spawn(&pid, self, NULL, NULL, argv, environ);
    waitpid(pid, NULL, 0);
    if (!(pid = fork())) { kill(getpid(), SIGKILL); }
    waitpid(pid, NULL, 0);
    free(kept);
    execv(self, argv);
}

/* The nth child begins with n blocks. */
static void tree(void) {
    for (int i = 1; i <= 12; i++) {
        void *volatile kept = malloc(MARK);
        pid_t pid = fork();
        if (!pid) { free(malloc(11)); _exit(i); }
        waitpid(pid, NULL, 0);
    }
}

static void *volatile small;
static void churn(int n) { for (int i = 0; i < n; i++) { free(small); small = malloc(i % 900 + 1); } }

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    if (!strcmp(what, "family")) family();
    if (!strcmp(what, "threads")) { in_thread(make); in_thread(drop); make(NULL); in_thread(drop); }
    if (!strcmp(what, "storm")) storm();
    if (!strcmp(what, "ended")) ended();
    if (!strcmp(what, "tree")) tree();
    if (!strcmp(what, "starve")) starve();
    if (!strcmp(what, "children")) children(words[0]);
    if (!strcmp(what, "leaf")) free(malloc(MARK));
    if (!strcmp(what, "kill")) { churn(100000); kill(getpid(), SIGKILL); }
    if (!strcmp(what, "abort")) { churn(100); abort(); }
    if (!strcmp(what, "status")) { churn(100); _exit(42); }
    if (!strcmp(what, "churn")) churn(1000000);
    return 0;
}
C
cc -D_GNU_SOURCE -O1 -fno-builtin -pthread -w program.c -o program || fail "no program"
cc -D_GNU_SOURCE -O1 -fno-builtin -pthread -w -no-pie program.c -o fixed || fail "no program"

export TMPDIR=$work/spools
mkdir "$TMPDIR"

# record ARGUMENT..: the trace is t.hmtrace, of which t.txt is the dump.
record() {
    rm -f t.hmtrace t.*.hmtrace
    heapmark record --quiet -o t.hmtrace "$@"
    "$hm" trace dump t.hmtrace >t.txt 2>&1 || fail "the trace can not be read"
}

# total NAME NUMBER
total() {
    local is
    is=$("$hm" trace info t.hmtrace --format json | sed -n "s/^ \"$1\": \"\\{0,1\\}\\([^\",]*\\).*/\\1/p")
    [[ $is == "$2" ]] || fail "$1 is $is and not $2"
}

# has COUNT PATTERN: so many lines of the dump.
has() {
    local is
    is=$(grep -cE -e "$2" t.txt)
    [[ $is -eq $1 ]] || fail "$is lines and not $1 have '$2'"
}

# ---- Every call of the family, once ----

record -- ./program family
expect_exit 0
"$hm" trace dump t.hmtrace >family.txt
has 1 ' malloc 7777 ='
has 1 ' calloc 3 7777 ='
has 1 ' calloc 70000 3 ='
has 1 ' realloc [0-9]+ 7777$'
has 1 ' malloc 7778 ='
has 1 ' reallocarray [0-9]+ 5 7777$'
has 1 ' aligned_alloc 64 7778 ='
has 1 ' posix_memalign 128 7777 ='
has 1 ' memalign 4096 7777 ='
has 1 ' valloc'
has 1 ' pvalloc'
has 1 ' usable '
has 1 ' malloc 100000000 ='
total failed 2
total foreign 0
total dropped 0
total end_blocks 0
total end exit

# ---- Threads ----

record -- ./program threads
total threads 4
total cross_thread_frees 2000
total foreign 0
has 2000 ' malloc 7777 ='
has 3 'thread-end'

record -- ./program ended
expect_exit 0
total threads 301
has 300 ' malloc 7777 ='

# ---- No memory ----

for one in ./program ./fixed; do
    record -- $one starve
    expect_exit 0
    has "$(grep -cE ' malloc 50000 = failed| malloc 50000 failed' t.txt)" ' free (NULL|0)'
    [[ $(grep -c ' free NULL' t.txt) -gt 100 ]] || fail "$one: nothing failed"
done

# ---- A signal handler that allocates ----

record -- ./program storm
expect_exit 0
total foreign 0
total dropped 0
[[ $(grep -c ' malloc 7777 =' t.txt) -ge 100 ]] || fail "the handler's calls are missing"
[[ $(grep -cE ' free (NULL|0)' t.txt) -ge 300000 ]] || fail "calls beside the handler's are missing"

# ---- Ends ----

record -- ./program kill
expect_exit 137
total end signal
total status 9
[[ $(grep -c ' malloc ' t.txt) -ge 100000 ]] || fail "what was recorded before SIGKILL is lost"
record -- ./program abort
expect_exit 134
total status 6
record -- ./program status
expect_exit 42
total end exit
total status 42

# ---- Children ----

record -- ./program children
expect_exit 0
all=$(ls t.*hmtrace)
[[ $(wc -w <<<"$all") -eq 5 ]] || fail "the traces are $all"
for one in t.*hmtrace; do
    "$hm" trace dump "$one" >t.txt || fail "$one can not be read"
    has 0 foreign
done
"$hm" trace dump t.3.hmtrace >t.txt
grep -q '^end exit 5' t.txt || fail "the forked child's status is missing"
has 1 ' inherited 0 7777 ='
has 1 ' malloc 11 ='
record --children none -- ./program children
[[ $(ls t.*hmtrace | wc -l) -eq 2 ]] || fail "children are recorded"

rm -f t.hmtrace t.*.hmtrace
: >t.2.hmtrace # an earlier recording's
heapmark record --quiet -o t.hmtrace -- ./program tree
[[ ! -s t.2.hmtrace && -s t.14.hmtrace ]] || fail "what was there is written over"
for ((i = 1; i <= 12; i++)); do
    "$hm" trace dump t.$((i + 2)).hmtrace >t.txt || fail "child $i can not be read"
    has "$i" ' inherited 0 7777 ='
    has 1 "^end exit $i"
done

# What goes on makes no files after the end; see the last line.
record -- bash -c '(for i in {1..300}; do /bin/true; done) >/dev/null 2>&1 & sleep 0.1; exit 3'
expect_exit 3

# ---- No room ----

(ulimit -f 600 && "$hm" record --quiet -o small.hmtrace -- ./program churn 2>small.err) ||
    fail "the program came to harm"
grep -q 'recording stopped' small.err || fail "nobody says that recording stopped"
heapmark trace info small.hmtrace
expect_exit 0
expect_out dropped

# ---- Stacks and times ----

record --stacks=4 --times -- ./program family
grep -qE '^stack [0-9]+( [0-9]+\+[0-9a-f]+){1,4}$' t.txt || fail "no stack"
total has_times true
has 1 'free NULL @[1-9][0-9]* #[1-9]'

# ---- Refusals ----

heapmark record -o family.txt -- ./program family
expect_refusal 'family.txt' exists
heapmark record --stacks=0 -- ./program
expect_refusal stacks
heapmark record
expect_refusal command
heapmark record -- ./missing
expect_exit 127
expect_one_line missing 'not found'
cc -static -o static -xc - <<<'int main(void) { return 0; }' 2>/dev/null && {
    heapmark record -- ./static
    expect_exit 1
    expect_one_line 'recorded nothing' static
}

[[ -z $(ls -A "$TMPDIR") ]] || fail "left behind: $(ls -A "$TMPDIR")"
