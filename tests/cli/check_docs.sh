#!/usr/bin/env bash
# check-docs finds a dead link, a missing heading and a misspelling, each by file and line.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check=$source_dir/scripts/check-docs
mkdir -p tree/docs
printf '# Title\n\n[a part](docs/part.md#two-words-1), [below](#title), [elsewhere](https://example.org/no)\n' >tree/README.md
printf '# Two words\n\n## `Two` words\n\n```\n[no link](no.md)\n```\n' >tree/docs/part.md
run "$check" tree
expect_exit 0
[[ ! -s $out ]] || fail "findings in a clean tree: $(cat "$out")"

# planted LINE WORD..: one finding, in the last line of the document.
planted() {
    local line=$1
    shift
    sed -i '4,$d' tree/README.md
    echo "$line" >>tree/README.md
    run "$check" tree
    expect_exit 1
    [[ $(wc -l <"$out") -eq 1 ]] || fail "not one finding: $(cat "$out")"
    expect_out "^README.md:4: " "$@"
}

planted '[gone](docs/gone.md)' "no such file: docs/gone.md"
planted '[gone](docs/part.md#gone)' "no such heading: docs/part.md#gone"
planted '[gone](#gone)' "no such heading: #gone"
wrong=rec''ieve # which check-docs does not see here
planted "We $wrong it." "$wrong ==> receive"

run "$check" empty
expect_exit 2
