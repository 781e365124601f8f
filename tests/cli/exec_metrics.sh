#!/usr/bin/env bash
# What is measured of a program is its own, and that of the children that it waits for.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cat >work.c <<'C'
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>
/* spin, sleep, touch 64 MiB, or the first two in a child */
int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    if (*what == 'c') {
        if (fork() == 0) { what = "spin"; } else { wait(NULL); return 0; }
    }
    if (strcmp(what, "spin") == 0)
        while (clock() < CLOCKS_PER_SEC / 10) continue;
    if (strcmp(what, "sleep") == 0) usleep(100000);
    if (strcmp(what, "touch") == 0) {
        char *volatile p = malloc(64 << 20);
        memset(p, 1, 64 << 20);
        return p[12345] - 1;
    }
    return 0;
}
C
cc -O1 -o work work.c || fail "could not compile work"
cat >suite.ini <<INI
[spin]
command = {dir}/work spin
[sleep]
command = {dir}/work sleep
[touch]
command = {dir}/work touch
[child]
command = {dir}/work child
INI
heapmark exec -a system --suite suite.ini --rounds 1 --no-plots -o o
expect_exit 0
expect_column o/samples.csv workload exec
expect_column o/samples.csv threads NA
python3 - o/samples.csv <<'END' >problems
import csv, sys
values = {}
for row in csv.DictReader(open(sys.argv[1])):
    if "#" not in row["allocator"]:
        values.setdefault((row["params"], row["metric"]), []).append(float(row["value"]))
least = lambda program, metric: min(values[program, metric])
most = lambda program, metric: max(values[program, metric])
def check(what, holds):
    if not holds:
        print(what)
for name in "wall_ns user_ns sys_ns cpu_ns minor_faults major_faults voluntary_switches \
        involuntary_switches exit_status ops_per_second".split():
    check(f"no {name}", all((p, name) in values for p in ("spin", "sleep", "touch", "child")))
check("a spinning program takes its time of the processor", least("spin", "cpu_ns") >= 0.08e9)
check("so does a child", least("child", "cpu_ns") >= 0.08e9)
check("a sleeping one takes wall time", least("sleep", "wall_ns") >= 0.1e9)
check("and no processor time", most("sleep", "cpu_ns") < 0.05e9)
check("a sleeping one waits", least("sleep", "voluntary_switches") >= 1)
check("memory that is touched is resident", least("touch", "peak_rss_bytes") >= 64 << 20)
check("and was not before", most("spin", "peak_rss_bytes") < 32 << 20
      if ("spin", "peak_rss_bytes") in values else True)
check("it came in by page faults", least("touch", "minor_faults") >= 32)
check("wall time is at least a share of the processor's", all(
    w >= 0.2 * c for p in ("spin", "child") for w, c in zip(values[p, "wall_ns"], values[p, "cpu_ns"])))
END
[[ ! -s problems ]] || fail "$(cat problems)"
heapmark exec -a system --rounds 1 --no-plots --pin core -o pinned -- sh -c 'nproc >&2; test $(nproc) -eq 1'
expect_exit 0
