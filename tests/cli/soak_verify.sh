#!/usr/bin/env bash
# The soak of verify runs every allocator that is installed, and says what it did.
# labels: plain
# timeout: 300
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

run "$source_dir/scripts/soak-verify" --ops 2K --seed 1 -a pool:lock=gil,locked+region "$hm"
expect_exit 0
expect_out '^pool:lock=gil +2K operations  seed 1 ' '^locked\+region .*0 failed'
[[ $(grep -c ' passed, ' "$out") -eq 2 ]] || fail "counts are told more than once"

run "$source_dir/scripts/soak-verify" --ops some "$hm"
expect_refusal "soak-verify: --ops"

# What fails is told.
run "$source_dir/scripts/soak-verify" --ops 2K --seed 1 -a "$(dirname "$hm")/tests/zoo/zoo_twice.so" "$hm"
expect_exit 1
expect_out 'failed:'
