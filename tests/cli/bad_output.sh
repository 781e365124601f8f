#!/usr/bin/env bash
# A folder that can not take the results is refused before anything is measured.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

: >file
heapmark "${tiny[@]}" -o file/results
expect_refusal "file/results" "not a directory"

heapmark "${tiny[@]}" -o file
expect_refusal "file" "not a directory|exists|not empty"

mkdir full
echo kept >full/precious
heapmark "${tiny[@]}" -o full
expect_refusal "full" "not empty"
expect "the folder was touched" test "$(ls full)" = precious

heapmark "${tiny[@]}" -o ""
expect_refusal "folder"

mkdir empty
heapmark "${tiny[@]}" -o empty
expect_exit 0
expect "no samples in a folder that was empty" test -s empty/samples.csv
