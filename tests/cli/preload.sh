#!/usr/bin/env bash
# Real programs do the same with our allocators under them as without.
# labels: plain
# timeout: 600
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folder=$(dirname "$hm")/preload
[[ -d $folder ]] || folder=$(dirname "$hm")/../lib/heapmark
ran=0

# under LIBRARY COMMAND..: every process that it starts says in bound.PID what it loaded.
under() {
    local library=$1
    shift
    rm -f bound.*
    run env LD_PRELOAD="$library" LD_DEBUG=files LD_DEBUG_OUTPUT="$work/bound" "$@"
    grep -q "calling init: $library" bound.* || fail "$library is not in it"
    rm -f bound.*
}

# same LIBRARY COMMAND..: exit status and stdout are those of a run without the library.
same() {
    local expected
    run "${@:2}"
    expect_exit 0
    cp "$out" plain.out
    under "$@"
    expect_exit 0
    expected=$(cksum <plain.out)
    [[ $(cksum <"$out") == "$expected" ]] || fail "the output is another one than without $1"
}

# have PROGRAM..: whether all are installed; says which one is not.
have() {
    local program
    for program; do
        type "$program" >/dev/null 2>&1 || {
            echo "$program is not installed: left out"
            return 1
        }
    done
    ran=$((ran + 1))
}

# ---- Programs ----

entries() {
    local name
    for name in malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign \
        valloc pvalloc malloc_usable_size; do
        nm -D --defined-only "$1" | grep -q " T $name\$" || fail "$1 has no $name"
    done
}

python_works() {
    local program='
import json, re, subprocess, threading
data = {str(i): list(range(i % 50)) for i in range(5000)}
def work(out, n):
    text = json.dumps({k: v for k, v in data.items() if int(k) % 4 == n})
    out[n] = len(json.loads(text)), len(re.findall(r"[0-9]+", text))
out = [None] * 4
threads = [threading.Thread(target=work, args=(out, n)) for n in range(4)]
[t.start() for t in threads]
children = [subprocess.run(["echo", str(i)], capture_output=True).stdout for i in range(4)]
[t.join() for t in threads]
print(out, children, bytearray(3 << 20).count(0))'
    have python3 || return
    same "$1" python3 -c "$program"
    same "$1" env PYTHONMALLOC=malloc python3 -c "$program"
}

compilers_work() {
    cat >a.c <<'C'
#include <stdio.h>
int main(void) { return puts("compiled") < 0; }
C
    cat >a.cc <<'C'
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>
struct alignas(256) wide { char bytes[300]; };
int main() {
    std::map<std::string, std::vector<int>> m;
    for (int i = 0; i < 20000; i++) m[std::to_string(i % 997)].push_back(i);
    std::vector<std::unique_ptr<wide>> blocks;
    for (int i = 0; i < 100; i++) {
        blocks.push_back(std::make_unique<wide>());
        if (reinterpret_cast<unsigned long>(blocks.back().get()) % 256) return 1;
    }
    try { std::vector<char> all(static_cast<std::size_t>(1) << 62); } catch (const std::bad_alloc &) { std::cout << "no memory\n"; }
    std::cout << m.size() << ' ' << m["5"].size() << '\n';
}
C
    if have gcc; then
        under "$1" gcc -O2 -c a.c -o under.o
        expect_exit 0
        gcc -O2 -c a.c -o plain.o
        expect "the object file is another one" cmp under.o plain.o
        under "$1" gcc -O2 a.c -o a.out
        expect_exit 0
        same "$1" ./a.out
    fi
    if have g++; then
        under "$1" g++ -O1 a.cc -o a++.out
        expect_exit 0
        same "$1" ./a++.out
    fi
}

git_works() {
    cat >commits.sh <<'S'
set -e
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_DATE='@1000000000 +0000' GIT_COMMITTER_DATE='@1000000000 +0000'
git -c init.defaultBranch=main init -q "$1"
cd "$1"
for i in $(seq 60); do seq "$i" 2000 >"file$i"; done
git add .
git -c user.name=n -c user.email=e commit -q -m first
echo more >>file7
git -c user.name=n -c user.email=e commit -q -a -m second
git gc -q
git log --stat --format='%H %s'
git fsck 2>&1
S
    have git || return
    rm -rf plain.git under.git
    run bash commits.sh plain.git
    expect_exit 0
    cp "$out" plain.out
    under "$1" bash commits.sh under.git
    expect_exit 0
    expect "git says something else" cmp plain.out "$out"
}

sqlite_works() {
    cat >rows.sql <<'S'
create table t(id integer primary key, name text, value real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
    insert into t select i, 'name' || (i * 7919 % 10007), i / 3.0 from n;
create index by_name on t(name);
select count(*), sum(value), min(name), max(name) from t;
select name, count(*) from t where name like 'name1%' group by substr(name, 1, 6) order by 1;
pragma integrity_check;
S
    have sqlite3 || return
    same "$1" bash -c 'rm -f rows.db; sqlite3 rows.db <rows.sql'
}

redis_works() {
    local server
    have redis-server redis-cli redis-benchmark || return
    rm -f redis.sock
    LD_PRELOAD=$1 redis-server --port 0 --unixsocket "$work/redis.sock" --save '' --appendonly no \
        --dir "$work" >redis.log 2>&1 &
    server=$!
    for _ in $(seq 100); do
        [[ -S redis.sock ]] && break
        sleep 0.1
    done
    expect "redis-server runs without $1" grep -q "$1" "/proc/$server/maps"
    under "$1" redis-benchmark -s redis.sock -n 2000 -c 10 -t set,get,lpush,hset -d 700 -r 500 -q
    expect_exit 0
    seq 3000 | sed 's/.*/set key& value&/' | redis-cli -s redis.sock >/dev/null
    run redis-cli -s redis.sock get key2999
    expect_out '^value2999$'
    run redis-cli -s redis.sock shutdown nosave
    status=0
    wait "$server" || status=$?
    expect_exit 0
}

# ---- A program that asks for the corners ----

cat >corners.c <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(is_so) ((is_so) ? (void)0 : (printf("line %d: %s\n", __LINE__, #is_so), bad = 1))
static volatile int bad, stop;
static volatile size_t huge = SIZE_MAX / 2 + 1;
static pthread_key_t key;
static pthread_barrier_t barrier;

static int from(const char *name, const char *library) {
    Dl_info info;
    void *at = dlsym(RTLD_DEFAULT, name);
    return at && dladdr(at, &info) && strcmp(info.dli_fname, library) == 0;
}

static void check_errors(void) {
    void *p = (void *)1;
    errno = 0;
    CHECK(!malloc(huge) && errno == ENOMEM);
    errno = 0;
    CHECK(!calloc(huge, 4) && errno == ENOMEM);
    errno = 0;
    CHECK(!reallocarray(NULL, huge, 4) && errno == ENOMEM);
    errno = 0;
    CHECK(!pvalloc(SIZE_MAX - 1) && errno == ENOMEM);
    errno = 0;
    CHECK(!aligned_alloc(24, 48) && errno == EINVAL);
    errno = 77;
    CHECK(posix_memalign(&p, 24, 8) == EINVAL && posix_memalign(&p, 4, 8) == EINVAL);
    CHECK(posix_memalign(&p, 64, huge) == ENOMEM && p == (void *)1 && errno == 77);
    char *kept = malloc(600);
    memset(kept, 5, 600);
    CHECK(!realloc(kept, huge) && kept[599] == 5);
    free(kept);
}

static void check_sizes(void) {
    for (size_t size = 0; size < 9 << 20; size = size * 5 / 4 + 1) {
        unsigned char *p = malloc(size), *z = calloc(1, size);
        CHECK(p && z && p != z && (uintptr_t)p % 16 == 0 && (uintptr_t)z % 16 == 0);
        CHECK(malloc_usable_size(p) >= size && malloc_usable_size(z) >= size);
        for (size_t i = 0; i < size; i++)
            if (z[i]) { CHECK(!"calloc is zero"); break; }
        memset(z, 255, size);
        memset(p, (int)size, size);
        p = realloc(p, 2 * size + 1);
        for (size_t i = 0; i < size; i++)
            if (p[i] != (unsigned char)size) { CHECK(!"realloc keeps"); break; }
        p = realloc(p, size / 3 + 1);
        for (size_t i = 0; i < size / 3; i++)
            if (p[i] != (unsigned char)size) { CHECK(!"realloc keeps less"); break; }
        errno = 77;
        free(p);
        free(z);
        CHECK(errno == 77);
        z = calloc(size + 1, 1); /* most likely the same block */
        for (size_t i = 0; i <= size; i++)
            if (z[i]) { CHECK(!"calloc is zero again"); break; }
        free(z);
    }
    CHECK(malloc_usable_size(NULL) == 0);
    free(NULL);
}

static void check_alignment(void) {
    void *p;
    for (size_t a = 8; a <= 4 << 20; a *= 2)
        for (size_t size = 1; size < 3 << 20; size = size * 9 + 1) {
            CHECK(posix_memalign(&p, a, size) == 0 && (uintptr_t)p % a == 0);
            memset(p, 1, size);
            CHECK(malloc_usable_size(p) >= size);
            p = realloc(p, size + 5000);
            CHECK(((char *)p)[0] == 1 && ((char *)p)[size - 1] == 1);
            free(p);
            p = memalign(a, size);
            CHECK((uintptr_t)p % a == 0);
            free(p);
        }
    p = valloc(10);
    CHECK((uintptr_t)p % (uintptr_t)getpagesize() == 0);
    free(p);
    p = pvalloc(10);
    CHECK((uintptr_t)p % (uintptr_t)getpagesize() == 0 &&
          malloc_usable_size(p) >= (size_t)getpagesize());
    free(p);
}

static void churn(unsigned seed, int rounds) {
    void *held[64] = {NULL};
    for (int i = 0; i < rounds; i++) {
        unsigned at = rand_r(&seed) % 64;
        free(held[at]);
        size_t size = 1u << rand_r(&seed) % 18;
        held[at] = malloc(size);
        memset(held[at], 3, size);
    }
    for (int i = 0; i < 64; i++) free(held[i]);
}

static void last_words(void *block) {
    free(block);
    free(strdup("a destructor allocates"));
    churn(1, 100);
}

static void *worker(void *seed) {
    pthread_setspecific(key, malloc(100));
    while (!stop) churn((unsigned)(uintptr_t)seed, 1000);
    return malloc(40);
}

static void check_fork(void) {
    fflush(stdout);
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++) pthread_create(&t[i], NULL, worker, (void *)i);
    for (int i = 0; i < 40; i++) {
        int status = -1;
        pid_t child = fork();
        if (!child) {
            bad = 0;
            alarm(20);
            churn(9, 2000);
            pthread_t own;
            stop = 1;
            CHECK(pthread_create(&own, NULL, worker, NULL) == 0 && !pthread_join(own, NULL));
            fflush(stdout);
            _exit(bad);
        }
        waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    stop = 1;
    for (int i = 0; i < 4; i++) {
        void *left;
        pthread_join(t[i], &left);
        free(left);
    }
}

static void *first_touch(void *call) {
    pthread_barrier_wait(&barrier);
    return ((void *(*)(size_t))call)(100);
}

/* A copy of the library that nobody has called yet. */
static void check_first_touch(const char *copy) {
    void *library = dlopen(copy, RTLD_NOW | RTLD_LOCAL), *got[8];
    void *call = library ? dlsym(library, "malloc") : NULL;
    pthread_t t[8];
    pthread_barrier_init(&barrier, NULL, 8);
    CHECK(call && call != (void *)malloc);
    for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, first_touch, call);
    for (int i = 0; i < 8; i++) pthread_join(t[i], &got[i]);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < i; j++) CHECK(got[i] && got[i] != got[j]);
}

static void at_the_end(void) {
    churn(3, 100);
    fflush(stdout);
    _exit(bad ? 1 : 0);
}

int main(int count, char **words) {
    static const char *const names[] = {
        "malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "posix_memalign",
        "memalign", "valloc", "pvalloc", "malloc_usable_size"};
    if (count > 2)
        return check_first_touch(words[2]), bad;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) CHECK(from(names[i], words[1]));
    pthread_key_create(&key, last_words);
    atexit(at_the_end);
    check_errors();
    check_sizes();
    check_alignment();
    check_fork();
    return bad;
}
C

corners_work() {
    cp "$1" copy.so
    under "$1" ./corners "$1"
    expect_exit 0
    for _ in 1 2 3 4 5; do
        under "$1" ./corners "$1" ./copy.so
        expect_exit 0
    done
}

run cc -D_GNU_SOURCE -O1 -fno-builtin -pthread -Wno-unused-result corners.c -o corners -ldl
expect_exit 0

for name in pool debug traced; do
    library=$(realpath "$folder/libheapmark-$name.so")
    [[ -f $library ]] || {
        fail "there is no $library"
        continue
    }
    entries "$library"
    corners_work "$library"
    python_works "$library"
    compilers_work "$library"
    git_works "$library"
    sqlite_works "$library"
    redis_works "$library"
done

# ---- What the layers say at exit ----

cat >wrong.c <<'C'
#include <stdlib.h>
int main(void) {
    volatile char *p = malloc(20);
    p[20] = 1;
    free((void *)p);
    return 0;
}
C
cc -O0 -fno-builtin -rdynamic wrong.c -o wrong
under "$(realpath "$folder/libheapmark-debug.so")" ./wrong
expect_exit 0
expect_err 'debug: overflow: .*byte 20 of 20, allocated at wrong\+0x[0-9a-f]+\(main'

under "$(realpath "$folder/libheapmark-traced.so")" env HEAPMARK_TRACED="$work/sites" ./wrong
expect_exit 0
cat sites.* >sites 2>/dev/null
expect "no line for main's block" grep -q '^"wrong+.*",0,0,20,1,20' sites

# ---- As an arm of a benchmark ----

heapmark run -a "system,$(realpath "$folder/libheapmark-pool.so")" -w churn -t 1,2 --quick --no-plots -o o
expect_exit 0
expect_column o/samples.csv status ok

[[ $ran -gt 0 || $failures -gt 0 ]] || {
    trap - EXIT
    rm -rf "$work"
    exit 77
}
