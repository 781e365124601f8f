#!/usr/bin/env bash
# A run that is killed loses no row that it had written, leaves no process behind, and can go on.
# timeout: 300
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A copy, so that its processes can be told from all others.
cp "$hm" copy

alive() {
    local exe
    for exe in /proc/[0-9]*/exe; do
        [[ $(readlink "$exe" 2>/dev/null) == "$work/copy"* ]] && return 0
    done
    return 1
}

# until_true SECONDS COMMAND..
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [[ $SECONDS -lt $end ]] || return 1
        sleep 0.1
    done
}

has_rows() {
    [[ -f $1/samples.csv && $(wc -l <"$1/samples.csv") -gt 3 ]]
}

matrix=(-a "floor,system" -w churn -t 1 --no-plots)

# start FOLDER ROUNDS: a run in the background that has written some rows.
start() {
    ./copy run "${matrix[@]}" --rounds "$2" -o "$1" </dev/null >"$out" 2>"$err" &
    command_line="run of $1"
    until_true 60 has_rows "$1" || fail "no rows after 60 s"
}

gone() {
    ! alive
}

start o 4
kill -KILL $!
wait $! 2>/dev/null
until_true 5 gone || fail "processes are left behind after SIGKILL"
expect "run.json is not JSON" python3 -m json.tool o/run.json
# All lines but a torn last one are whole.
cp o/samples.csv kept.csv
[[ -z $(tail -c 1 kept.csv) ]] || sed -i '$d' kept.csv
expect_column kept.csv status ok

# What was missing is measured, what was there stays, and nothing is there twice.
run ./copy run "${matrix[@]}" --rounds 4 --resume o
expect_exit 0
head -n "$(wc -l <kept.csv)" o/samples.csv | cmp -s - kept.csv || fail "rows changed on the way"
for name in cell round metric thread; do # shellcheck disable=SC2094
    column o/samples.csv "$name" >"$name"
done
paste -d ' ' metric thread cell round | grep '^time_ns -1 ' >measured
[[ -z $(sort measured | uniq -d) ]] || fail "measured twice: $(sort measured | uniq -d | head -n 1)"
[[ $(wc -l <measured) -eq $((4 * $(sort -u cell | wc -l))) ]] || fail "a round is not complete"

for signal in INT TERM; do
    [[ $signal == INT ]] && expected=130 || expected=143
    # bash starts background jobs with SIGINT ignored, which the run would inherit.
    set -m
    start "$signal" 1000
    set +m
    kill -"$signal" $!
    wait $! 2>/dev/null
    status=$?
    expect_exit "$expected"
    until_true 5 gone || fail "processes are left behind after SIG$signal"
    column "$signal/samples.csv" status | grep -q '^ok$' || fail "no good row after SIG$signal"
done
