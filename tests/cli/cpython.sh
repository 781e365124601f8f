#!/usr/bin/env bash
# `generational` answers scripts as the collector of CPython 3.11 does: random ones, and those that are made
# of CPython's own tests.
# labels: cpython
#
# Skipped where python3 is not 3.11. More: tests/cpython/differential.py HEAPMARK --count 10000 --seed N
set -u

folder=$(cd "$(dirname "$0")/../cpython" && pwd)
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
python3 -B "$folder/differential.py" "$1" "$folder"/list/*.script || exit
exec python3 -B "$folder/differential.py" "$1" --count 500
