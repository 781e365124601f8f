#!/usr/bin/env bash
# scripts/workloads-similar, on made-up times of which the answer is known.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# times WORKLOAD THREADS TIME..: the rows of five allocators, of the baseline's copy and of a floor.
times() {
    local workload=$1 threads=$2 allocator
    shift 2
    for allocator in a b c d e 'a#2' floor; do
        echo "x,$allocator,-,$workload,-,$threads,time_ns,ns/op,lower,6,${1:-77},1,1,1,1,x,1,1,1,NA"
        [[ $# -eq 0 ]] || shift
    done
}
{
    echo "cell,allocator,collector,workload,params,threads,metric,unit,better,n,median,q1,q3,ci_low,ci_high,baseline,ratio,ratio_low,ratio_high,verdict"
    times up 1 1 2 4 8 16
    times up-long 1 10 20 40 80 160 # the same ratios
    times up-noisy 1 1 2.1 3.9 8 16 # nearly the same
    times down 1 16 8 4 2 1         # r = -1
    times bent 1 1 2 4 8 3          # ranks 1 2 4 5 3 against 1 2 3 4 5: Spearman 0.7
    times flat 1 100 101 100 102 101
    times down 2 160 80 40 20 10
    # Objects: two collectors on two allocators.
    for row in q,m,a,1 q,m,b,2 q,r,a,4 q,r,b,9 s,m,a,10 s,m,b,20 s,r,a,40 s,r,b,80; do
        IFS=, read -r workload collector allocator time <<<"$row"
        echo "x,$allocator,$collector,$workload,-,1,time_ns,ns/op,lower,6,$time,1,1,1,1,x,1,1,1,NA"
    done
} >stats.csv

similar=$source_dir/scripts/workloads-similar
run "$similar" stats.csv
expect_exit 0
expect_out "7 workloads over 5 arms; 3 clusters at 0.9" \
    "^\| down, (1 thread|2 threads) \| 16.00 \| down, (1 thread|2 threads) \(1.00, 0 %\) \|$" \
    "^\| bent, 1 thread \| 8.00 \| nothing else \|$" \
    "not compared: flat, 1 thread\.$" \
    "A representative set: bent, down, up(-long|-noisy)?\.$"
expect "the three that rise are not one cluster" \
    grep -qE '^\| up[^|]*\| 16\.00 \| up[^;]*; up[^;|]*\|$' "$out"

expect_out "^\*\*Object workloads.*: 2 workloads over 4 arms; 1 cluster at" \
    "^\| q, 1 thread \| 9.00 \| s, 1 thread \(1.00, [0-9]+ %\) \|$"

run "$similar" --format csv stats.csv
expect_exit 0
expect_out "^up,1,up-long,1,5,1,1,0$" "^up,1,down,1,5,-1,-1," "^up,1,bent,1,5,[0-9.]+,0\.7,"

expect "heap and object workloads are compared" bash -c "! grep -E '^(up|down),.*,[qs],' '$out'"

# An order that differs keeps workloads apart, however alike the ratios are.
run "$similar" --least 0.5 --rank 0.8 stats.csv
expect_out "3 clusters at 0.5"

# Clusters as loose as can be hold all that does not run against each other.
run "$similar" --least 0.5 stats.csv
expect_out "2 clusters at 0.5"

echo "a,b" >other.csv
run "$similar" other.csv
expect_refusal "not the stats.csv of a run"
run "$similar" nothing.csv
expect_refusal "nothing.csv"
run "$similar" --leest 1 stats.csv
expect_refusal "unknown option '--leest'"
run "$similar" --least much stats.csv
expect_refusal "must be a number"
