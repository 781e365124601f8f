#!/usr/bin/env bash
# What is recorded of a few programs is what memcheck counts.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

type valgrind >/dev/null 2>&1 || {
    trap - EXIT
    rm -rf "$work"
    exit 77
}
run "$source_dir/scripts/true-counts" --short "$hm"
expect_exit 0
expect_out '^. ls .*yes' '^. threads .*yes'
