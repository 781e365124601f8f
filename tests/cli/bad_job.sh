#!/usr/bin/env bash
# A broken job file is refused with the file's name and the line's number.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# refused LINE WORD..: the job file is on stdin.
refused() {
    local line=$1
    shift
    cat >job.ini
    heapmark run job.ini --dry-run
    expect_refusal "job\.ini:$line: " "$@"
}

refused 2 "neither|key" <<'INI'
[run]
this is not a pair
INI

refused 3 "unknown key" "round" <<'INI'
[run]
allocators = floor
round = 3
INI

refused 2 "rounds" "1 to" <<'INI'
[run]
rounds = 0
INI

refused 2 "floor=maybe" "yes, no" <<'INI'
[run]
floor = maybe
INI

refused 1 "unknown section|neither" <<'INI'
[rum
rounds = 3
INI

refused 2 "unknown section" "rum" <<'INI'
[rum]
rounds = 3
INI

refused 2 "LD_PRELOAD|LD_" <<'INI'
[allocator mine]
env = LD_PRELOAD=/x.so
INI

heapmark run no-such.ini --dry-run
expect_refusal "no-such\.ini" "no such file"

cat >job.ini <<'INI'
[run]
allocators = floor, system
workloads = churn
threads = 1
rounds = 2
INI
heapmark run job.ini --dry-run
expect_exit 0
expect_out "floor" "system" "churn"

# Without what the harness costs: the cells that are asked for, and the A/A arm.
sed -e 's/floor, //' -e '$a floor = no' job.ini >bare.ini
heapmark run bare.ini --dry-run
expect_exit 0
[[ $(grep -c "^ *churn/" "$out") -eq 2 ]] || fail "there are other cells"
expect "there is a floor" bash -c "! grep -q /floor '$out'"
