#!/usr/bin/env bash
# `heapmark census`: its files and its bad input; and valgrind's memcheck counts as it does.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark census -w churn:live=50,churn:live=9,rings --units 20 -o run
expect_exit 0
expect_out "^churn:live=50" "^churn:live=9" "^rings "
expect "more than 80 columns" bash -c "! grep -E '.{81}' '$out'"
expect_column run/census_live.csv threads 1
[[ $(column run/census.csv thread | sort | uniq -c | tr -s ' ') == $' 3 -1\n 3 0' ]] || fail "not 3 workloads of one thread"
[[ $(column run/census.csv born_blocks | head -n 2 | tr '\n' ' ') == "20 20 " ]] || fail "churn did not replace 20 blocks"
for figure in churn churn-2 rings census; do
    [[ -s run/plots/$figure.svg && -s run/plots/$figure.png ]] || fail "no figure $figure"
done
expect "census.json is not JSON" python3 -m json.tool run/census.json
# The histogram's rows are all of the blocks.
awk -F, '$5 == "size_bytes" && $1 == "rings" { n += $8 } END { print n }' run/census_histogram.csv >blocks
[[ $(cat blocks) == "$(awk -F, '$1 == "rings" && $5 == -1 { print $9 }' run/census.csv)" ]] || fail "blocks are missing in the histogram"

heapmark census -w churn -t 2 --units 10 --format json
expect_exit 0
expect "no JSON" python3 -m json.tool "$out"

heapmark census
expect_refusal "which workloads"
heapmark census -w nosuch
expect_refusal "nosuch"
heapmark census -w churn:live=x
expect_refusal "live"
heapmark census -w churn -t 0
expect_refusal "-t 0"
heapmark census -w churn --units 0
expect_refusal "--units=0"
heapmark census -w churn --unts 3
expect_refusal "did you mean '--units'"
heapmark census -w trees -c nosuch
expect_refusal "nosuch"
heapmark census -w graph -c manual
expect_refusal "manual can not do what graph needs"
heapmark census -w churn -o run
expect_refusal "not empty"
heapmark census -w churn --format xml
expect_refusal "table or json"

# An end that comes too late is an error of its workload; the others are kept.
heapmark census -w churn:live=3,gcbench --units 1000000 --timeout 1
expect_exit 1
expect_err "gcbench: took longer than 1 s"

# memcheck counts a realloc as an allocation and a free, as we do. What the process allocates besides
# is the same for any number of units.
if command -v valgrind >/dev/null; then
    total() {
        valgrind --trace-children=no --child-silent-after-fork=no "$hm" census -w churn:live=50 --units "$1" \
            --format json 2>&1 >"$work/json" </dev/null |
            sed -n 's/.*total heap usage: \([0-9,]*\) allocs, \([0-9,]*\) frees, \([0-9,]*\) bytes.*/\1 \3/p' |
            tr -d , | sort -n | head -n 1
    }
    read -r few few_bytes <<<"$(total 20)"
    few_born=$(python3 -c "import json; c = json.load(open('$work/json'))['workloads'][0]['counts']; print(c['born_blocks'], c['born_bytes'])")
    read -r many many_bytes <<<"$(total 520)"
    many_born=$(python3 -c "import json; c = json.load(open('$work/json'))['workloads'][0]['counts']; print(c['born_blocks'], c['born_bytes'])")
    read -r a a_bytes <<<"$few_born"
    read -r b b_bytes <<<"$many_born"
    [[ $((many - few)) -eq $((b - a)) && $((b - a)) -eq 500 ]] || fail "memcheck saw $((many - few)) more allocations, the census $((b - a))"
    [[ $((many_bytes - few_bytes)) -eq $((b_bytes - a_bytes)) ]] || fail "memcheck saw $((many_bytes - few_bytes)) more bytes, the census $((b_bytes - a_bytes))"
fi
