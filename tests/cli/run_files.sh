#!/usr/bin/env bash
# A run leaves the files that are promised, with their columns in the promised order.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

samples=schema,run,cell,allocator,collector,workload,params,threads,pin,round,position,rep,thread
samples+=,metric,value,unit,better,ops,status,reason,started_utc
stats=cell,allocator,collector,workload,params,threads,metric,unit,better,n,median,q1,q3,ci_low
stats+=,ci_high,baseline,ratio,ratio_low,ratio_high,verdict,confidence,decided_after

# Columns are only ever added, at the end.
expect_head() {
    local head
    head=$(head -n 1 "$1" | tr -d '\r')
    [[ $head == "$2" || $head == "$2",* ]] || fail "the head of $1 is $head"
}

heapmark run --quick -a floor,system -w churn -t 1 -o o
expect_exit 0
expect "run.json is not JSON" python3 -m json.tool o/run.json
expect_head o/samples.csv "$samples"
expect_head o/stats.csv "$stats"
expect_column o/samples.csv status ok
[[ $(column o/samples.csv round | sort -u | wc -l) -eq 6 ]] || fail "--quick is not 6 rounds"
for allocator in floor system; do
    column o/samples.csv allocator | grep -q "^$allocator" || fail "no sample of $allocator"
    column o/stats.csv allocator | grep -q "^$allocator" || fail "no statistics of $allocator"
done
column o/samples.csv value | grep -qvE '^(NA|-?[0-9.]+(e[+-]?[0-9]+)?)$' &&
    fail "a value is not a number: $(column o/samples.csv value | sort -u | head -n 3)"
expect "no figures" ls o/plots/*.svg

# Both arms do the same work, and the seed decides which.
heapmark "${tiny[@]}" --seed 7 -o seven
heapmark "${tiny[@]}" --seed 7 -o again
expect "the seed is not recorded" grep -q '"seed": *7' seven/run.json
[[ $(column seven/samples.csv cell | sort -u) == "$(column again/samples.csv cell | sort -u)" ]] ||
    fail "the cells of equal runs have other names"

heapmark plot o --format png
expect_exit 0
expect "no PNG" ls o/plots/*.png
