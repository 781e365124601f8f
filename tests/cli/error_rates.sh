#!/usr/bin/env bash
# scripts/error-rates counts what runs with a known answer say, goes on where it stopped, and drives heapmark.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rates=$source_dir/scripts/error-rates
made=$source_dir/tests/cli/error_rates_run.py
export CALLS=$work/calls
[[ -x /usr/bin/python3 ]] || exit 77

# Twenty runs: rates, and their intervals as tables of Clopper and Pearson have them.
run "$rates" -o d --quick --runs 20 --rigorous-runs 0 --counted-runs 0 "$made"
expect_exit 0
expect_out "^made CPU, 2 cores, virtual, Linux 6.1; heapmark 9.9, 2026-01-01$" \
    "^12 rounds, margin 2 %; handicap of 5 %: 1.0500 \[1.0499, 1.0501\]$" \
    "^heapmark +20 +1.7 +5.0 \[0.1, 24.9\] +90.0 \[68.3, 98.8\]$" \
    "^means of blocks, 2 % +10 +50.0 +50.0 \[18.7, 81.3\] +100.0 \[69.2, 100.0\]$"
expect "a line is too long" bash -c "! grep -qE '.{81}' '$out'"
if /usr/bin/python3 -c 'import scipy.stats' 2>/dev/null; then
    expect_out "^(compare.py|U test \(scipy\)) +20 +0.0 +0.0 \[0.0, 16.8\] +100.0 \[83.2, 100.0\]$" \
        ", blocks +10 +50.0 +50.0 \[18.7, 81.3\] +100.0 " "^means of blocks, Student's t +10 +50.0 "
    [[ ! -s $err || $(grep -vc "to go$" "$err") -eq 0 ]] || fail "there are remarks"
else
    expect_err "python3-scipy"
fi
[[ $(wc -l <"$CALLS") -eq 20 ]] || fail "not 20 runs: $(cat "$CALLS")"
expect "the runs of a pair have not the same seed" \
    diff <(sed 's/.*--seed //' "$CALLS") <(for i in {1..10}; do printf '%s\n' "$i" "$i"; done)

# What is there is not measured again; what did not end is.
sed -i 's/finished/running/' d/default/default-007/run.json
rm -r d/default/default-012
: >"$CALLS"
run "$rates" -o d --quick --runs 20 --rigorous-runs 0 --counted-runs 0 --format markdown "$made"
expect_exit 0
expect_out "^\| heapmark \| 20 \| 1.7 \| 5.0 \[0.1, 24.9\] \| 90.0 \[68.3, 98.8\] \|$"
expect "these were measured: $(cat "$CALLS")" diff - "$CALLS" <<'CALLS'
d/default/default-007 turns=700 --quick --seed 4
d/default/default-012 turns=700 --quick --seed 6
CALLS

# Handicaps are found first, for each way to measure, and these take turns; counts know only one way.
: >"$CALLS"
run "$rates" -o e --runs 1 --rigorous-runs 1 --counted-runs 1 --mode near= --mode 'apart=--pin none' "$made"
expect_exit 0
expect_out "^12 rounds, near, margin 2 %; handicap of 5 %: 1.0500 \[1.0493, 1.0507\]$" "^12 rounds, near, margin 0.5 %; handicap of 2 %: 1.0200" \
    "^heapmark doctor, before: 12 rounds tell 4.1 % and more by a margin of 2 %,$" "^30 rounds tell 1.2 % .* of 0 %$" \
    "^12 rounds, apart, margin 2 %" "^instruction counts, margin 0.5 %; handicap of 2 %: 1.0200"
expect "other runs: $(cat "$CALLS")" diff - "$CALLS" <<'CALLS'
e/near/probe turns=4000 --rounds 12
e/near/probe turns=1400 --rounds 60
e/near/default-001 turns=700 --seed 1
e/near/rigorous-001 turns=280 --rigorous --seed 1
e/apart/probe turns=4000 --pin none --rounds 12
e/apart/probe turns=1400 --pin none --rounds 60
e/apart/default-001 turns=700 --pin none --seed 1
e/apart/rigorous-001 turns=280 --rigorous --pin none --seed 1
e/counted/probe turns=1000
e/counted/counted-001 turns=280 --seed 1
CALLS

# What can not be: other runs in one folder, a heapmark that fails, bad words.
run "$rates" -o e --runs 2 --mode near=--pin "$made"
expect_refusal "mode 'near' with other options"
run "$rates" -o e --runs 2 --mode near= /bin/true
expect_refusal "another heapmark"
run env STOP_AT=2 "$rates" -o f --quick --runs 2 --rigorous-runs 0 --counted-runs 0 "$made"
expect_exit 1
expect_err "heapmark ended with 1"
run "$rates" -o g --report
expect_exit 1
expect_one_line "no finished run"
for words in "--runs many" "--mode near" "--mode counted=" "--wrong" "$work/none"; do
    # shellcheck disable=SC2086
    run "$rates" -o g $words
    expect_refusal "error-rates: "
done

# The real one.
run "$rates" -o h --quick --runs 1 --rigorous-runs 0 --counted-runs 0 "$hm"
expect_exit 0
expect_out "^6 rounds, margin 2 %; handicap of 5 %: [0-9.]+ \[[0-9.]+, [0-9.]+\]$" "^heapmark +1 +[0-9.]+ "
expect "arms of another kind" diff <(printf '%s\n' allocator base base#2 same-1 same-2 same-3 slower) \
    <(cut -d, -f2 h/default/default-001/stats.csv | sort -u)
