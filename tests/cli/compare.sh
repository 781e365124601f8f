#!/usr/bin/env bash
# Two runs are compared: each verdict, each refusal, each exit status, and formats that other programs read.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python3 "$source_dir/tests/cli/compare_run.py" base -- same seed=2 drift=1.3 -- \
    slower seed=3 drift=1.3 churn=1.1 space=0.8 latency=0.5 -- latent seed=4 latency=1 -- \
    odd seed=5 churn=1.1 again=1.2 -- wild seed=6 spread=0.06 -- few rounds=5 -- \
    count rounds=1 counts=1 -- count2 rounds=1 counts=1.03 drift=3 -- \
    alone arms=pool,floor baseline=pool -- alone2 arms=pool,floor baseline=pool drift=1.3 seed=2 -- \
    bare arms=pool baseline=pool -- bare2 arms=pool baseline=pool drift=1.3 seed=2 -- \
    broken seed=7 fail=trees/pool/-/t1/core drop=lists/pool/-/t1/core add=more/pool/-/t1/core -- \
    marked 'add=a<b>&|c/pool/-/t1/core' seed=8 || fail "could not make the runs"

# told CELL METRIC KEY: of the last comparison as JSON.
told() {
    awk -F '\t' -v cell="$1/" -v metric="$2" -v key="$3" '
        index($1, cell) == 1 && $2 == metric && $3 == key { print $4 }' flat
}

expect_told() {
    local found
    found=$(told "$1" "$2" "$3")
    [[ $found == "$4" ]] || fail "$3 of $2, $1: '$found' and not '$4'"
}

# compare STATUS ARGUMENT..: as JSON.
compare() {
    local wanted=$1
    shift
    heapmark compare "$@" --format json
    expect_exit "$wanted"
    python3 -c '
import json, sys
for c in json.load(open(sys.argv[1]))["comparisons"]:
    for key in c:
        print(c["cell"], c["metric"], key, c[key], sep="\t")' "$out" >flat || fail "it is no JSON"
}


# A machine that is 30 % slower is drift and no regression; by value it is one.
compare 0 base same
expect_told churn/pool time_ns verdict equivalent
expect_told churn/pool time_ns basis ratio
expect_told churn/pool time_ns reference churn/system/-/t1/core
expect_told churn/pool footprint_bytes basis value
expect_told churn/system time_ns verdict "" # how the reference moved is the drift
expect_out '"drift": \[' '"ratio": 1.(29|30)'
compare 3 base same --drift keep
expect_told churn/pool time_ns verdict slower
expect_told churn/system time_ns verdict slower

# A change on top of it is found, both ways, in time, space and latency.
compare 3 latent slower
expect_told churn/pool time_ns verdict slower
expect_told lists/pool time_ns verdict equivalent
expect_told churn/pool footprint_bytes verdict faster
expect_told churn/pool latency_malloc_p99_ns verdict equivalent # all arms of the run: drift
expect "the ratio is not 1.1" awk -v r="$(told churn/pool time_ns ratio)" 'BEGIN { exit !(r > 1.098 && r < 1.102) }'
compare 3 slower latent # more space
expect_told churn/pool time_ns verdict faster
compare 0 latent slower --margin 12%
expect_told churn/pool time_ns verdict equivalent

# Noise: what equal arms differed by hides a difference, and more rounds would settle nothing.
compare 0 base odd
expect_told churn/pool time_ns verdict inconclusive
expect_told churn/pool time_ns rounds_needed None
compare 4 base odd --strict
compare 0 base same --strict
compare 4 base wild --strict
expect_told lists/pool footprint_bytes verdict inconclusive
expect "no rounds are told" test "$(told lists/pool footprint_bytes rounds_needed)" -gt 8
compare 4 few few --strict
expect_told churn/pool time_ns ratio_low None
heapmark compare few few
expect_exit 0
expect_out "few rounds" "the same run"

# Instructions are judged from one round on, by value.
compare 3 count count2
expect_told churn/pool instructions_per_op verdict slower
expect_told churn/pool instructions_per_op basis value
compare 4 count count2 --margin 5% --strict
expect_told churn/pool instructions_per_op verdict equivalent

# One allocator alone is compared by its ratio to floor, and without a floor by value, which is said.
compare 0 alone alone2
expect_told churn/pool time_ns reference churn/floor/-/t1/core
expect_told churn/pool time_ns verdict equivalent
heapmark compare bare bare2
expect_exit 3
expect_out "churn/pool/-/t1/core\*" "by value, marked \*: 3" "no A/A arm"

# A baseline that has changed is no reference: then floor is.
cp -rT same changed
sed -i 's/"build_id": null/"build_id": "0123"/' changed/run.json # the first one's
compare 0 base changed
expect_told churn/pool time_ns reference churn/floor/-/t1/core
expect_told churn/system time_ns reference churn/floor/-/t1/core

# Builds. A baseline that is a part of a heapmark that changed is none: its change would pass as drift.
known="id=aa libc=11"
three=system,pool,floor
# shellcheck disable=SC2086
python3 "$source_dir/tests/cli/compare_run.py" pool1 arms=$three baseline=pool $known -- \
    pool2 arms=$three baseline=pool id=bb libc=11 pool=1.3 seed=2 drift=1.1 -- \
    pool3 arms=$three baseline=pool $known pool=1.3 seed=2 -- sys1 $known -- sys2 id=aa libc=22 seed=2 -- \
    sys3 id=bb libc=22 seed=2 || fail "could not make the runs"
compare 3 pool1 pool2
expect_told churn/pool time_ns reference churn/system/-/t1/core
expect_told churn/pool time_ns reference_code same
expect_told churn/pool time_ns verdict slower
expect_told churn/system time_ns verdict ""
expect_out "heapmark is another build in NEW" "3 ratios are to system, not to the baseline pool\""
compare 0 pool1 pool2 --reference baseline
expect_told churn/system time_ns reference churn/pool/-/t1/core
expect_told churn/system time_ns reference_code changed
expect_told churn/system time_ns verdict faster
expect_out "3 ratios are to the baseline pool; but its code may have changed too"
compare 3 pool1 pool2 --reference floor
expect_told churn/pool time_ns reference churn/floor/-/t1/core
expect_told churn/system time_ns verdict equivalent
expect_out "ratios are to floor, not to the baseline pool; but its code may have changed too"
compare 0 pool1 pool3 # the same build: as good as proven, whatever it took
expect_told churn/system time_ns reference_code same
compare 0 pool2 bare2 --force # one that does not tell its build is older
expect_told churn/pool time_ns reference None
compare 0 sys1 sys2 # another C library; pool is in the same heapmark
expect_told churn/system time_ns reference churn/pool/-/t1/core
expect_told churn/pool time_ns verdict ""
compare 0 sys1 sys3 # nothing is the same
expect_told churn/system time_ns reference churn/floor/-/t1/core
expect_told churn/pool time_ns reference_code changed
compare 0 base same
expect_told churn/pool time_ns reference_code "not known"
expect_out "do not tell which build of heapmark"
heapmark compare base same --reference nothing
expect_refusal "reference=nothing" "no arm of both runs"

# Cells that fail or are missing are named, and never count.
heapmark compare base broken
expect_exit 1
expect_out "trees/pool/-/t1/core: failed in NEW, and not in BASE: signal: killed by SIGSEGV" \
    "lists/pool/-/t1/core: in BASE only" "more/pool/-/t1/core: in NEW only"
compare 1 base broken
expect_told trees/pool time_ns verdict ""
expect_told lists/system time_ns verdict ""
heapmark compare broken base
expect_exit 0
expect_out "trees/pool/-/t1/core: failed in BASE only" "lists/pool/-/t1/core: in NEW only"
heapmark compare broken broken
expect_exit 0
expect_out "failed in NEW and in BASE"

# Runs that can not be compared.
for difference in 's/made CPU/other CPU/ the.processor.is.made.CPU' 's/"cores": 2/"cores": 4/ number.of.cores.is.2' \
    's/6.1.0-1/6.2.0/ the.kernel' 's/2.36/2.37/ the.C.library' 's/"schema": 1/"schema": 2/ version.of.the.tables' \
    's/0.1.0/0.2.0/ version.of.heapmark' 's/cc_1/cc_2/ the.compiler' 's/"rate": 0/"rate": 9/ rate' \
    's/isolated/free/ threading' 's/"seed": 1/"seed": 2/ seed.of.the.operations' \
    's/live=100/live=7/ live=100.in.BASE.and.live=7'; do
    cp -rT base other
    sed -i "${difference% *}" other/run.json other/samples.csv
    heapmark compare base other
    expect_refusal "not comparable" "${difference##* }" "--force"
    heapmark compare base other --force
    expect_exit 0
    expect_out "FORCED:"
done
cp -rT base other
sed -i 's/6.1.0-1/6.1.99/; s/"finished"/"interrupted"/' other/run.json
heapmark compare base other
expect_exit 0
expect_out "NEW is not a finished run, but interrupted"

# Usage.
heapmark compare base
expect_refusal "two folders"
heapmark compare base same slower
expect_refusal "one too many"
heapmark compare base no-such-folder
expect_refusal "no-such-folder" "no such file"
heapmark compare base same --format xml
expect_refusal "format=xml" "junit"
heapmark compare base same --drift away
expect_refusal "drift=away"
for margin in -1% 2%% two 1e400 1 nan; do
    heapmark compare base same --margin "$margin"
    expect_refusal "margin=$margin"
done
heapmark compare base same --formt json
expect_refusal "did you mean '--format'"
heapmark compare base same --margin
expect_refusal "margin.*needs a value"
mkdir empty
cp base/run.json empty
heapmark compare base empty
expect_refusal "samples.csv"
head -n 1 base/samples.csv >empty/samples.csv
heapmark compare base empty
expect_refusal "no samples"
sed 's/churn\|lists\|trees/x/' base/samples.csv >empty/samples.csv
heapmark compare base empty
expect_refusal "no cell in common"
sed 's/,pin,/,pinned,/; s/,round,/,circle,/' base/samples.csv >empty/samples.csv
heapmark compare base empty
expect_refusal "no column 'round'"
echo '"1,2' >>empty/samples.csv
heapmark compare base empty
expect_exit 2

# Formats. A name with markup is a name.
cp -r marked marked2
sed 's/,time_ns,2/,time_ns,4/' marked/samples.csv >marked2/samples.csv
heapmark compare marked marked2 --format junit
expect "it is no XML of one suite" python3 -c '
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
cases = suite.findall("testcase")
assert suite.tag == "testsuite" and len(cases) == int(suite.get("tests"))
assert len(suite.findall(".//failure")) == int(suite.get("failures"))
assert any("<b>" in case.get("name") for case in cases)' "$out"
heapmark compare base slower --format junit
expect_exit 3
expect_out 'classname="heapmark.time_ns" name="churn/pool/-/t1/core"><failure message="slower, NEW / BASE 1.099 '
heapmark compare base broken --format junit
expect_out 'classname="heapmark.cell" name="trees/pool/-/t1/core"><error message="signal'
heapmark compare base slower --format markdown
expect_exit 3
expect_out '^\| time\\_ns \| churn/pool/-/t1/core \| 1.099 .*\| slower \|$' "^- 1 slower, 3 faster"
heapmark compare marked marked2 --format markdown
expect "a table's row has not as many cells as its head" awk -F '|' '
    { gsub(/\\\|/, "") } /^\|/ && NF != 6 { bad = 1 } END { exit bad }' "$out"
heapmark compare base slower
expect "the table is wider than 80 columns" awk 'length > 80 { exit 1 }' "$out"
expect_out "^worst: time_ns of churn/pool/-/t1/core: 1.099 " "^  all 3: pool .* 1.03.* mean$" "^    worst: churn/pool/-/t1/core +1.099 .* slower$"
cp "$out" first
heapmark compare base slower
cmp -s first "$out" || fail "the same comparison gives another result"

# Real runs, which are tiny: whatever the verdict, the cells are there, and the form is right.
heapmark run -a pool -w churn:live=100 -t 1 --rounds 6 --quick --metrics time --no-plots -o real
compare 0 real real
expect_told churn:live=100/pool time_ns ratio 1.0
expect_told churn:live=100/pool time_ns base_rounds 6
expect_out "the same run"
