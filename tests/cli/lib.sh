# Helpers for the tests of the command line. Each test is a bash script that sources this file and is
# given the path of heapmark; it works in a folder of its own, which is removed at its end.
#
# A failed expectation is printed with the command and its output, and the test goes on.
# shellcheck shell=bash disable=SC2034
set -uo pipefail

hm=$(realpath "$1")
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
failures=0
command_line=
status=0

finish() {
    cd /
    rm -rf "$work"
    [[ $failures -eq 0 ]] || {
        echo "$failures failed"
        exit 1
    }
    exit 0
}
trap finish EXIT
cd "$work" || exit 1
out=$work/.out
err=$work/.err

# One cell that ends soon: `run "${tiny[@]}" -o DIR`.
tiny=(run -a floor -w churn -t 1 --rounds 1 --no-plots)

fail() {
    failures=$((failures + 1))
    {
        echo "FAILED: $*"
        echo "  after: $command_line (status $status)"
        head -n 15 "$out" | sed 's/^/  out| /'
        head -n 15 "$err" | sed 's/^/  err| /'
    } 2>/dev/null
}

# run COMMAND..: keeps its output for the expectations below.
run() {
    command_line=$*
    status=0
    timeout -k 5 100 "$@" </dev/null >"$out" 2>"$err" || status=$?
}

# heapmark ARGUMENT..
heapmark() {
    run "$hm" "$@"
}

expect_exit() {
    [[ $status -eq $1 ]] || fail "the exit status is $status and not $1"
}

# Bad input: exit status 2, nothing on stdout, and one line on stderr that has all these words.
expect_refusal() {
    expect_exit 2
    [[ ! -s $out ]] || fail "there is something on stdout"
    expect_one_line "$@"
}

# One line on stderr that has all these words (extended regular expressions, case is ignored).
expect_one_line() {
    local lines
    lines=$(wc -l <"$err")
    [[ $lines -eq 1 ]] || fail "stderr has $lines lines and not 1"
    expect_err "$@"
}

expect_err() {
    expect_in "$err" "$@"
}

expect_out() {
    expect_in "$out" "$@"
}

# expect_in FILE WORD..
expect_in() {
    local file=$1 word
    shift
    for word in "$@"; do
        grep -qiE -e "$word" "$file" || fail "no '$word' in ${file##*/.}"
    done
}

# collector_is_missing NAME: a library that it needs is not installed, or it is not in this build.
collector_is_missing() {
    heapmark list collectors --format json
    awk -v name="\"$1\"," '
        /^      "name": / { mine = $2 == name }
        mine && /^      "missing": / { missing = 1 }
        END { exit !missing }' "$out"
}

# expect WHAT COMMAND..: the command succeeds.
expect() {
    local what=$1
    shift
    "$@" >/dev/null 2>&1 || fail "$what"
}

# library NAME < C: compiles a shared library NAME.so.
library() {
    cc -shared -fPIC -O1 -o "$1.so" -xc - || fail "could not compile $1.so"
}

# column FILE NAME: one column of a CSV file, without its head. Fields here hold no newlines.
column() {
    awk -v name="$2" '
        # Fields of a line as RFC 4180 has them; the text keeps its quotes.
        function split_line(line,   n, i, c, quoted) {
            n = 1
            field[1] = ""
            for (i = 1; i <= length(line); i++) {
                c = substr(line, i, 1)
                if (c == "\"") quoted = !quoted
                if (c == "," && !quoted) field[++n] = ""
                else field[n] = field[n] c
            }
            return n
        }
        { sub(/\r$/, ""); n = split_line($0) }
        NR == 1 { columns = n; for (i = 1; i <= n; i++) if (field[i] == name) at = i; next }
        n != columns { print "line " NR " has " n " fields and not " columns; next }
        { print field[at] }
    ' "$1"
}

# expect_column FILE NAME VALUE: every row has this value, and there is a row.
expect_column() {
    local values
    values=$(column "$1" "$2" | sort -u)
    [[ $values == "$3" ]] || fail "$2 of ${1##*/} is '$values' and not '$3'"
}
