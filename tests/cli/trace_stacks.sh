#!/usr/bin/env bash
# A program's trace with call stacks: `heapmark trace top` names functions and lines with exact numbers, and
# `heapmark trace flame` has the very stacks. The trace is written down here by the addresses that the
# disassembler knows; then it is recorded.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Lines are found by their marks.
cat >program.c <<'END'
#include <stdlib.h>
#define APART __attribute__((noinline, noclone))
static void *volatile kept[64];
APART static void *wrap(size_t size) {
    void *made = malloc(size); /* mark: wrap */
    kept[63] = made;
    return made;
}
APART static void keep(int count) {
    for (int i = 0; i < count; i++)
        kept[i] = wrap(1000); /* mark: keep */
}
APART static void waste(int count) {
    for (int i = 0; i < count; i++)
        free(wrap(24)); /* mark: waste */
}
APART static void grow(void) {
    void *grown = calloc(10, 10); /* mark: calloc */
    grown = realloc(grown, 5000); /* mark: realloc */
    kept[62] = grown;
}
int main(void) {
    keep(20); /* mark: main keep */
    waste(300); /* mark: main waste */
    grow(); /* mark: main grow */
    for (int i = 0; i < 15; i++)
        free(kept[i]);
    return 0;
}
END
line() {
    grep -n "mark: $1 \*/" program.c | cut -d: -f1
}

# call CALLER CALLEE: an address inside of that call.
call() {
    objdump -d --no-show-raw-insn program | awk -v caller="<$1>:" -v callee="<$2" '
        $2 == caller { inside = 1 }
        /^$/ { inside = 0 }
        after { sub(":", "", $1); print $1; exit }
        inside && /call/ && index($0, callee) { after = 1 }' |
        { read -r address && printf '%x' $((16#$address - 1)); }
}

# write_trace: what program.c does, as `heapmark trace dump` would print it.
write_trace() {
    local keep waste grow
    keep="0+$(call wrap malloc) 0+$(call keep wrap) 0+$(call main keep)"
    waste="0+$(call wrap malloc) 0+$(call waste wrap) 0+$(call main waste)"
    grow="0+$(call main grow)"
    cat <<END
heapmark-trace 1
program $PWD/program
command ./program
recorder this test
machine none
pid 1
started 0
page 4096
times 0
stacks 1
module 0 $(readelf -n program | awk '/Build ID/ { print $3 }') $PWD/program
stack 1 $keep
stack 2 $waste
stack 3 0+$(call grow calloc) $grow
stack 4 0+$(call grow realloc) $grow
END
    awk 'BEGIN {
        for (i = 1; i <= 20; i++) print "0 malloc 1000 = " i " #1"
        for (i = 21; i <= 320; i++) print "0 malloc 24 = " i " #2\n0 free " i " #2"
        print "0 calloc 10 10 = 321 #3\n0 realloc 321 5000 #4"
        for (i = 1; i <= 15; i++) print "0 free " i " #1"
        print "dropped 0\nend exit 0"
    }'
}


# bytes, blocks, peak bytes and blocks, own peak, live bytes and blocks, temporary bytes and blocks
row() {
    grep -qF "$1,$2," "$out" || fail "'$1' is '$(grep -F "${1%%:*}" "$out")' and not '$2'"
}

# What is called before main() is the system's; from there on the lines are exact.
folded() {
    heapmark trace flame program.hmtrace --weight "$1"
    expect_exit 0
    shift
    diff <(printf '%s\n' "$@") <(sed 's/^.*;main;/main;/' "$out" | LC_ALL=C sort) >"$err" ||
        fail "the folded stacks are not $*"
}

check() {
    heapmark trace top program.hmtrace --format csv
    expect_exit 0
    row "wrap program.c:$(line wrap)" 27200,320,20000,20,20024,5000,5,7200,300
    row "grow program.c:$(line calloc)" 100,1,0,0,100,0,0,100,1
    row "grow program.c:$(line realloc)" 5000,1,5000,1,5000,5000,1,0,0

    heapmark trace top program.hmtrace --skip wrap --format csv
    row "keep program.c:$(line keep)" 20000,20,20000,20,20000,5000,5,0,0
    row "waste program.c:$(line waste)" 7200,300,0,0,24,0,0,7200,300

    heapmark trace top program.hmtrace --by function --format csv
    row grow 5100,2,5000,1,5000,5000,1,100,1

    heapmark trace top program.hmtrace --by stack --sort blocks --top 1
    expect_out " 300 .* wrap program.c:$(line wrap)$" "^ +from waste program.c:$(line waste)$" \
        "^ +from main program.c:$(line 'main waste')$"

    folded bytes 'main;grow 5100' 'main;keep;wrap 20000' 'main;waste;wrap 7200'
    folded blocks 'main;grow 2' 'main;keep;wrap 20' 'main;waste;wrap 300'
    folded peak 'main;grow 5000' 'main;keep;wrap 20000'
    folded live 'main;grow 5000' 'main;keep;wrap 5000'
    folded temporary 'main;grow 1' 'main;waste;wrap 300'
}

for how in -pie -no-pie; do
    rm -f program program.hmtrace
    expect "program.c compiles" cc "$how" -g -O1 -fno-omit-frame-pointer -fno-optimize-sibling-calls \
        -fno-builtin-malloc -fno-builtin-free -o program program.c
    write_trace >text
    heapmark trace import --from text -o program.hmtrace text
    expect_exit 0
    heapmark trace top program.hmtrace
    grep -q "built without libdw" "$err" && { echo "left out: no libdw"; exit 77; }
    check
done
heapmark record --quiet --stacks -o recorded.hmtrace -- ./program
expect_exit 0
mv recorded.hmtrace program.hmtrace
check

# The drawing is XML, and has a box for each frame.
heapmark trace flame program.hmtrace -o flame.svg
expect_exit 0
[[ ! -s $out ]] || fail "there is something on stdout"
python3 - flame.svg <<'END' || fail "flame.svg"
import sys
import xml.etree.ElementTree as xml
svg = "{http://www.w3.org/2000/svg}"
root = xml.parse(sys.argv[1]).getroot()
boxes = {}
for group in root.iter(svg + "g"):
    name, weight = group.find(svg + "title").text.split("\n")[:2]
    boxes.setdefault(name, []).append((weight, float(group.find(svg + "rect").get("width"))))
assert [weight.split(",")[0] for weight, _ in boxes["keep"]] == ["19.5 KiB"], boxes["keep"]
assert len(boxes["wrap"]) == 2 and len(boxes["main"]) == 1
whole = boxes["all"][0][1]
assert abs(boxes["keep"][0][1] / whole - 20000 / 32300) < 1e-4
assert root.find(svg + "desc").text and "Bytes allocated" in root.find(svg + "title").text
END

# Without names, what unwinds the stack tells where functions begin.
begin=$(nm program | awk '$3 == "wrap" { sub(/^0+/, "", $1); print $1 }')
strip program
heapmark trace top program.hmtrace --by function --format csv
expect_exit 0
row "program+0x$begin" 27200,320,20000,20,20024,5000,5,7200,300

# A program that has changed since is not given names.
sed -i 's/keep(20)/keep(21)/' program.c
cc -g -O2 -o program program.c 2>"$err"
heapmark trace top program.hmtrace
expect_exit 0
expect_one_line "/program has changed since the recording"
expect_out "program\+0x[0-9a-f]+$"
grep -q "wrap" "$out" && fail "a changed program has names"
rm program
heapmark trace top program.hmtrace
expect_exit 0
expect_one_line "/program can not be read"
