#!/usr/bin/env bash
# Workloads of several processes: exact end values, processes that die, and nothing that is left behind.
# timeout: 120
# locks: shared-memory
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A copy, so that its processes can be told from all others.
cp "$hm" copy
segments() {
    find /dev/shm -maxdepth 1 -type f -name 'heapmark-*' | sort
}
segments >before

# members COMMAND: the copy's processes that were started so, `cell` or `member`.
members() {
    local exe args
    find /proc/[0-9]*/exe -maxdepth 0 -lname "$work/copy*" 2>/dev/null | while read -r exe; do
        mapfile -d '' args <"${exe%exe}cmdline"
        [[ ${args[1]:-} == "$1" ]] && basename "${exe%/exe}"
    done 2>/dev/null
}

none_left() {
    [[ -z $(find /proc/[0-9]*/exe -maxdepth 0 -lname "$work/copy*" 2>/dev/null) ]]
}

# until_true COMMAND..
until_true() {
    local end=$((SECONDS + 20))
    until "$@"; do
        [[ $SECONDS -lt $end ]] || return 1
        sleep 0.05
    done
}

two_work() {
    [[ $(members member | wc -l) -eq 2 ]]
}

nothing_is_left() {
    until_true none_left || fail "processes are left behind after $1"
    segments | cmp -s before - || fail "shared memory is left behind after $1"
}

# The end value is as many updates as were done, also where a process was killed inside the lock.
run ./copy run -a system,pool -w shm-counter,shm-counter:kill=100,manager -t 1 --rounds 1 --no-plots -o o
expect_exit 0
expect_column o/samples.csv status ok
[[ $(column o/samples.csv allocator | sort -u | tr '\n' ' ') == "- -#2 " ]] || fail "an allocator is named"
paste -d' ' <(column o/samples.csv metric) <(column o/samples.csv value) <(column o/samples.csv ops) |
    awk '$1 == "end_value" { rows++; wrong += $2 != $3 } END { exit rows != 4 || wrong }' ||
    fail "an end value is not the number of operations"
column o/samples.csv metric | grep -qx round_trip_ns || fail "no figure of manager"
nothing_is_left "a run"

# One heap of several processes: those that can be shared are measured, the others are named.
run ./copy run -a system,first-fit:backing=shared -w shm-heap -t 1,2 --rounds 1 --no-plots -o heap
expect_in heap/samples.csv "shm-heap needs a heap in shared memory: first-fit:backing=shared" \
    "shm-heap works in processes, not threads"
[[ $(column heap/samples.csv cell | sort -u | wc -l) -eq 6 ]] || fail "not two cells of threads and three of each"
paste -d' ' <(column heap/samples.csv cell) <(column heap/samples.csv metric) <(column heap/samples.csv status) |
    grep -q '^shm-heap/first-fit:backing=shared/-/t1/core shared_heap_bytes ok$' || fail "no figure of shm-heap"
nothing_is_left "a run on one heap"

# cell WORKLOAD: one that would go on for ever, with its report in `report`.
cell() {
    ./copy cell --pass=time --allocator=system --workload="$1" --cpus=-1 --process-cpus=-1,-1 \
        --units=1000000000000 --nonce=n 3>report </dev/null >"$out" 2>"$err" &
    cell=$!
    command_line="cell of $1"
    until_true two_work || fail "no two processes"
}

for workload in shm-counter shm-counter:lock=semaphore manager:processes=1; do
    signal=KILL
    [[ $workload != shm-counter ]] || signal=TERM
    cell "$workload"
    kill -"$signal" $cell
    wait $cell 2>/dev/null
    nothing_is_left "SIG$signal in the middle of $workload"
    cell "$workload"
    kill -KILL "$(members member | head -n 1)"
    wait $cell
    expect_in report "^fail invalid .*(process . of 2 died: killed by signal 9|the server does not answer)"
    grep -q "^end " report && fail "a cell whose process died came to its end"
    nothing_is_left "the death of a process of $workload"
done

# The whole run is killed in the middle of a cell.
./copy run -w shm-counter -t 1 --rounds 1000 --no-plots -o killed </dev/null >"$out" 2>"$err" &
command_line="run that is killed"
until_true two_work || fail "no two processes of a run"
kill -KILL $!
wait $! 2>/dev/null
nothing_is_left "SIGKILL of a run"

heapmark run -w shm-counter:kill=5:lock=atomic
expect_refusal "shm-counter" "kill needs lock=mutex"
heapmark run -w shm-counter:processes=0
expect_refusal "shm-counter" "processes=0" "from 1 to 64"
heapmark run -w shm-heap:min=300
expect_refusal "shm-heap" "min must be at most max"
heapmark run -w manager:ask=nothing
expect_refusal "manager" "ask=nothing"
heapmark member
expect_refusal "member" "--segment"
heapmark member --segment=999 --index=0
expect_exit 3
