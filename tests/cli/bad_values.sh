#!/usr/bin/env bash
# Numbers and words of options that make no sense are refused, with their range.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

refused() {
    local arguments=$1
    shift
    # shellcheck disable=SC2086
    heapmark run -a floor -w churn $arguments -o "$work/o"
    expect_refusal "$@"
    rm -rf "$work/o"
}

refused "-t 0" "thread" "0"
refused "-t -1" "thread"
refused "-t two" "thread" "two"
refused "-t 1,,2" "thread"
refused "-t 99999999999999999999" "thread"
refused "--rounds 0" "rounds" "1 to"
refused "--rounds many" "rounds" "many"
refused "--seed x" "seed"
refused "--timeout -1" "timeout"
refused "--timeout nan" "timeout"
refused "--pin sideways" "pin" "core" "spread"
refused "--metrics speed" "metric" "speed" "time"
refused "--rounds autos" "rounds" "auto"
refused "--rounds auto --budget 10" "budget" "10m"
refused "--rounds auto --budget 0s" "budget" "1s"
refused "--rounds auto --budget -5m" "budget"
refused "--rounds auto --budget nanm" "budget"
refused "--rounds auto --budget 5d" "budget" "2h"
refused "--budget 10m" "budget" "rounds=auto"
refused "--rounds auto --metrics space" "rounds=auto" "time"
