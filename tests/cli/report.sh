#!/usr/bin/env bash
# report.html and report.md hold a run: whole, escaped, without network; bad input is refused and nothing is lost.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check() {
    run python3 "$source_dir/tests/cli/report_page.py" "$@"
    expect_exit 0
}

heapmark run --rounds 6 --quick -a system,pool -c refcount,generational -w pairs,graph -t 1 -o o --no-plots
expect_exit 0
expect "no report" test -s o/report.html -a -s o/report.md
check o

# A run from a stranger: what it holds is text.
cp -r o hostile
sed -i -e 's/pool/<script>alert(1)<\/script>|`pool`/g' hostile/stats.csv hostile/samples.csv
sed -i -e 's/"cpu_model": "[^"]*"/"cpu_model": "<img src=x onerror=alert(2)>"/' hostile/run.json
heapmark report hostile
expect_exit 0
check hostile
expect "a label became markup" bash -c '! grep -q "<script>alert\|<img src=x" hostile/report.html'
expect "a label became markdown" bash -c '! grep -q "<script>\|[|]\`" hostile/report.md'

# Without run.json the numbers are told all the same.
cp -r o bare
rm bare/run.json
heapmark report bare
expect_exit 0
check bare

# Figures are within the page.
if command -v gnuplot >/dev/null; then
    heapmark plot o --figure throughput --format svg
    expect_exit 0
    heapmark report o
    expect_exit 0
    expect_out "^o/report.html$" "^o/report.md$"
    check o throughput
fi

refused() {
    heapmark report "$@"
    expect_exit 2
    [[ $(wc -l <"$err") -eq 1 ]] || fail "not one line"
}
refused
refused --format=html o
refused missing
refused o bare
cp -r o torn
cp torn/report.html before
sed -i '3s/,/"/' torn/stats.csv
refused torn
expect "the old report is gone" cmp before torn/report.html
