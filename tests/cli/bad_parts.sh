#!/usr/bin/env bash
# Parts and parameters that do not exist or do not fit are refused before anything is measured.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

refused() {
    local arguments=$1
    shift
    # shellcheck disable=SC2086
    heapmark run $arguments --rounds 1 -o "$work/o"
    expect_refusal "$@"
    [[ ! -e $work/o ]] || fail "a refused run left a folder behind"
    rm -rf "$work/o"
}

refused "-a jemaloc -w churn" "allocator" "jemaloc" "mean.*jemalloc"
refused "-a qqqqqqqqq -w churn" "allocator" "qqqqqqqqq"
refused "-a floor -w chrun" "workload" "chrun" "mean.*churn"
refused "-c generationl" "collector" "generationl" "mean.*generational"
refused "-a floor:shap=heap -w churn" "floor" "shap" "mean.*shape"
refused "-a floor:shape=round -w churn" "floor" "shape" "libc" "heap"
refused "-a first-fit:size=0 -w churn" "first-fit" "size" "range" "from [0-9]+ to [0-9]+"
refused "-a first-fit:size=99999999G -w churn" "first-fit" "size" "range"
refused "-a first-fit:size=lots -w churn" "first-fit" "size" "lots" "number"
refused "-a first-fit:size=1M:size=2M -w churn" "size" "twice"
refused "-a first-fit:size -w churn" "first-fit" "key=value"
refused "-a first-fit:lock=process -w churn" "first-fit" "lock=process" "backing=shared"
refused "-a first-fit:lock=mutex:backing=shared -w churn" "lock=mutex" "backing=private"
refused "-a first-fit:align=3 -w churn" "first-fit" "align" "power of two"
refused "-a first-fit:size=64G:align=1 -w churn" "first-fit" "size" "granules"
refused "-a first-fit:size=64:align=128 -w churn" "first-fit" "size" "granule"
refused "-a pool:arena=300K -w churn" "pool" "arena" "power of two"
refused "-a pool:pool=5K -w churn" "pool" "power of two"
refused "-a pool:arena=256K:pool=128K -w churn" "pool" "quarter of an arena"
refused "-a pool:pool=4K:max=1040 -w churn" "pool" "max" "quarter of a pool"
refused "-a locked+first-fit:lock=process -w churn" "first-fit" "lock=process"
refused "-a floor+system -w churn" "floor" "layer"
refused "-a , -w churn" "empty"
