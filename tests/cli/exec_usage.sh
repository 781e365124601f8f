#!/usr/bin/env bash
# `heapmark exec`: wrong usage is refused before anything is run; a run that was stopped goes on.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# refuses WORD ARGUMENT..
refuses() {
    local word=$1
    shift
    heapmark exec -o none "$@"
    expect_refusal "$word"
    [[ ! -e none ]] || fail "it made a folder"
}
refuses "which program" -a system
refuses "which program" -a system --
refuses "under which allocators" -- true
refuses "'true': the command stands behind --" -a system true
mkfifo pipe
refuses "pipe: can not be read from its begin" -a system --input pipe -- true
printf '[x]\ncommand = true\nstdin = {dir}\n' >folder.ini
refuses "\[x\]: stdin: .*is a folder" -a system --suite folder.ini
refuses "no-such-program.*none in PATH" -a system -- no-such-program
refuses "./no-such-program.*no such file" -a system -- ./no-such-program
refuses "permission denied" -a system -- /etc/passwd
refuses "permission denied" -a system -- /
refuses "did you mean '--rounds'" -a system --ronds 3 -- true
refuses "pin=smt" -a system --pin smt -- true
refuses "expect=300" -a system --expect 300 -- true
refuses "children=no" -a system --children no -- true
refuses "rounds=0" -a system --rounds 0 -- true
refuses "no-such-input" -a system --input no-such-input -- true
refuses "is a folder" -a system --input / -- true
refuses "name 'a b'" -a system --label 'a b' -- true
refuses "--only goes with" -a system --only lua -- true
refuses "one too many" -a system --suite programs -- true
refuses "no-output" -a system --no-output --same-output -- true
for allocator in floor first-fit:size=1M pool:lock=none locked+pool traced+system; do
    refuses "has no library that can be put under a program" -a "system,$allocator" -- true
done
refuses "no-such.so" -a ./no-such.so -- true

heapmark exec -a system,pool --dry-run --label name -- sh -c 'echo "a  b"'
expect_exit 0
expect_out "^exec:name/system/-/-/none" "^exec:name/pool/-/-/none" "^exec:name/system#2/"

# A command of several lines, and a very long one, are one line of a table all the same.
heapmark exec -a system --rounds 1 -o lines -- sh -c $'echo "a, b"\n: \'c\' \t=d'" $(printf '%04000d' 0)"
expect_exit 0
expect_column lines/samples.csv status ok
[[ $(column lines/samples.csv params | head -n 1 | wc -c) -lt 500 ]] || fail "a long command is not cut"
[[ -s lines/plots/programs.svg ]] || ! command -v gnuplot >/dev/null || fail "it has no figure"

# Stopped in the middle, and continued: each round is there once.
set -m
"$hm" exec -a system --rounds 300 --no-plots -o o -- sleep 0.03 </dev/null >"$out" 2>"$err" &
set +m
for _ in {1..100}; do
    [[ -f o/samples.csv && $(wc -l <o/samples.csv) -gt 40 ]] && break
    sleep 0.05
done
kill -INT $!
wait $!
status=$?
command_line="interrupted"
expect_exit 130
expect_err "go on with: --resume o"
done_rounds=$(column o/samples.csv round | sort -n | tail -n 1)
rounds=$((done_rounds + 3))
heapmark exec -a system --rounds "$rounds" --no-plots --resume o -- sleep 0.04
expect_refusal "sleep is another command than the run's"
heapmark exec -a system --rounds "$rounds" --no-plots --resume o -- sleep 0.03
expect_exit 0
for name in metric cell round; do
    column o/samples.csv "$name" >"$name"
done
paste -d ' ' metric cell round | grep '^wall_ns ' | sort >measured
[[ -z $(uniq -d measured) ]] || fail "measured twice: $(uniq -d measured | head -n 1)"
[[ $(wc -l <measured) -eq $((2 * rounds)) ]] || fail "$(wc -l <measured) rows and not $((2 * rounds))"
