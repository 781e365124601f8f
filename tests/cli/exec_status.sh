#!/usr/bin/env bash
# A program that fails, crashes or hangs is a failed cell, and leaves nothing behind.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# exec_ends STATUS ARGUMENT..: the only arm and its A/A arm end so.
exec_ends() {
    local expected=$1
    shift
    rm -rf o
    heapmark exec -a system --rounds 1 --no-plots -o o "$@"
    expect_exit "$([[ $expected == ok ]] && echo 0 || echo 1)"
    expect_column o/samples.csv status "$expected"
    [[ $expected == ok || $(wc -l <o/stats.csv) -eq 1 ]] || fail "a failed cell has statistics"
}

exec_ends exit -- sh -c 'echo why >&2; exit 3'
expect_out "exit status 3, not 0 \(why\)"
exec_ends exit -- sh -c 'printf "why \033[2J\n" >&2; exit 3'
expect_out "\(why \?\[2J\)"
exec_ends ok --expect 3 -- sh -c 'exit 3'
python3 - o/samples.csv <<'END' || fail "the exit status is not in the samples"
import csv, sys
rows = [r for r in csv.DictReader(open(sys.argv[1])) if r["metric"] == "exit_status"]
sys.exit(not rows or any(r["value"] != "3" for r in rows))
END
exec_ends exit --expect 3 -- true
exec_ends signal -- sh -c 'kill -SEGV $$'
expect_out "killed by segmentation fault"

# An allocator that breaks the program does not count as a fast one.
library breaking <<'C'
#include <stdlib.h>
__attribute__((constructor)) static void leave(void) { abort(); }
C
heapmark exec -a system,./breaking.so --rounds 1 --no-plots -o broken -- true
expect_exit 1
column broken/stats.csv allocator | grep -q breaking && fail "it has statistics"
column broken/stats.csv allocator | grep -q '^system$' || fail "the good arm has none"

# All of a tree goes, also what has left its process group.
exec_ends timeout --timeout 0.3 -- sh -c 'setsid sleep 7391 & sleep 7391'
exec_ends ok -- sh -c 'setsid sleep 7391 & setsid sh -c "sleep 7391 & sleep 7391" & :'
pgrep -f '^sleep 7391$' >left && fail "processes are left behind: $(tr '\n' ' ' <left)"

# The output is kept when it is asked for, and only then.
[[ ! -e o/output ]] || fail "there is output that nobody asked for"
exec_ends ok --keep-output --input "$source_dir/README.md" -- head -n 1
cmp -s <(head -n 1 "$source_dir/README.md") o/output/c0-r0.out || fail "the output is not what the program wrote"
exec_ends ok --same-output -- echo same
exec_ends invalid --same-output -- sh -c 'echo $$'
expect_out "its output differs"

# An arm that makes a program write something else is told; what varies by itself tells nothing.
heapmark exec -a system,pool --rounds 2 --no-plots -o other -- \
    sh -c 'case $LD_PRELOAD in *pool*) echo one ;; *) echo other ;; esac'
expect_exit 0
expect_err "sh writes something else under pool than under system"
heapmark exec -a system,pool --rounds 2 --no-plots -o varies -- sh -c 'echo $$'
expect_exit 0
! grep -q "writes something else" "$err" || fail "it tells of a difference that is none"
