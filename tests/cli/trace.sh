#!/usr/bin/env bash
# `heapmark trace`: info, dump and import agree with each other, with another reader of the format, and
# with what glibc's mtrace counts; what is no trace, or no line of one, is refused in one line.
# labels: plain
[[ ! -w /dev/shm ]] || export TMPDIR=/dev/shm # import waits until a trace is on the disk
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

corpus=$source_dir/tests/fuzz/corpus

# ---- Verbs

heapmark trace
expect_exit 0
expect_out "^  info " "^  dump " "^  import "
heapmark trace nonsense
expect_refusal "unknown verb 'nonsense'"
heapmark trace inof
expect_refusal "did you mean 'info'"
heapmark trace info
expect_refusal "which FILE"
heapmark trace info a b
expect_refusal "'b' is one too many"
heapmark trace info a --formt json
expect_refusal "did you mean '--format'"
heapmark trace info a --format xml
expect_refusal "table or json"
heapmark trace info nosuch
expect_refusal "nosuch: No such file"

# ---- Text to trace and back

for name in every_kind plain empty; do
    heapmark trace import --from text -o "$name.hmt" "$corpus/trace_text/$name.txt"
    expect_exit 0
    heapmark trace dump "$name.hmt"
    expect_exit 0
    cp "$out" "$name.txt"
    heapmark trace import --from text -o "$name.again.hmt" "$name.txt"
    expect "$name.hmt is another one after a dump and an import" cmp "$name.hmt" "$name.again.hmt"
    heapmark trace info "$name.hmt"
    expect_exit 0
    expect "more than 80 columns" bash -c "! grep -E '.{81}' '$out'"
done
expect "the text of every kind has changed" diff <(grep '^[0-9]' every_kind.txt) <(grep '^[0-9]' "$corpus/trace_text/every_kind.txt")
expect "a file of the corpus is not read as it was" cmp every_kind.hmt "$corpus/trace_reader/every_kind.hmt"

# ---- Another reader, which counts for itself

awk 'BEGIN {
    print "heapmark-trace 1\nprogram p\nrecorder r\ntimes 1\nstacks 1\nmodule 0 00 /lib/m\nstack 1 0+77 -+9"
    srand(7)
    for (i = 1; i <= 20000; i++) {
        print int(rand() * (i > 1 ? 2 : 1)), "malloc", int(exp(12 * rand())), "= " i, "@" i * 10, "#1"
        kept[i] = i
        other = int(i * rand()) + 1
        if (other in kept) {
            if (rand() < .3) print 0, "realloc", other, int(exp(9 * rand())), "@" i * 10
            else { print 0, "free", other, "@" i * 10 + 1; delete kept[other] }
        }
    }
    print "end exit 0"
}' >random.txt
heapmark trace import --from text -o random.hmt random.txt
expect_exit 0
python3 "$source_dir/tests/trace/reader.py" every_kind.hmt plain.hmt random.hmt || fail "the reader in Python refuses a trace"
for name in every_kind plain random; do
    heapmark trace dump "$name.hmt"
    expect "the reader in Python reads $name otherwise" diff <(sed 's/\\x0a/\n/; s/\\\\/\\/g' "$out") "$name.hmt.text"
    heapmark trace info "$name.hmt" --format json
    expect_exit 0
    cp "$out" "$name.json"
done

# ---- Damage

head -c 300 random.hmt >cut.hmt
heapmark trace info cut.hmt
expect_refusal "cut.hmt: ends at byte 300 without its trailer, after 0 good events"
cp random.hmt flipped.hmt
printf '\377' | dd of=flipped.hmt bs=1 seek=4000 conv=notrunc status=none
heapmark trace info flipped.hmt --format json
expect_refusal "flipped.hmt: broken at byte [0-9]+, after 0 good events: a block's checksum is wrong"
heapmark trace dump "$source_dir/README.md"
expect_refusal "README.md: not a trace"
heapmark trace info /
expect_refusal "not a regular file"

# ---- Lines that can not be

# refuse SOURCE WORDS TEXT
refuse() {
    printf "$3" >bad.txt
    heapmark trace import --from "$1" -o bad.hmt bad.txt
    expect_refusal "$2"
    expect "a refused text left a file" bash -c '! ls bad.hmt* 2>/dev/null'
}
begin='heapmark-trace 1\n'
refuse text "bad.txt: line 1: the first line" 'hello\n'
refuse text "line 2: nothing begins with 'hello'" "${begin}hello you\n"
refuse text "line 2: no event" "${begin}0 mallok 3 = 1\n"
refuse text "line 3: a block that is not live" "${begin}0 malloc 3 = 1\n0 free 2\n"
refuse text "line 2: an allocation's block is not the next number" "${begin}0 malloc 3 = 2\n"
refuse text "line 2: a thread that is not the next" "${begin}1 malloc 3 = 1\n"
refuse text "line 2: no event" "${begin}0 memalign 3 8 = 1\n"
refuse text "line 2: pid is no number" "${begin}pid x\n"
refuse text "line 3: a frame" "${begin}stacks 1\nstack 1 0+7\n"
refuse text "it was cut off" "${begin}0 malloc 3 = 1\n"
refuse text "line 2 holds a zero byte" "${begin}a\\0b\n"
refuse mtrace "line 2: no line of mtrace" '= Start\n@ a:[0x1] * 0x10\n'
refuse mtrace "line 2: 0x10 is given out, and was not freed" '+ 0x10 0x20\n+ 0x10 0x20\n'
refuse mtrace "line 2: a reallocation has both" '@ a:[0x1] < 0x10\n- 0x10\n'
refuse mtrace "it ends within a reallocation" '@ a:[0x1] < 0x10\n'
refuse ltrace "line 1: no line of ltrace" 'hello\n'
refuse ltrace "line 1: a call without its result" 'a->malloc(3)\n'
head -c 600000 /dev/zero | tr '\0' x >bad.txt
heapmark trace import --from text -o bad.hmt bad.txt
expect_refusal "line 1 is too long"
heapmark trace import --from text -o plain.hmt plain.txt
expect_refusal "plain.hmt: File exists"
heapmark trace import --from nosuch -o bad.hmt plain.txt
expect_refusal "--from=nosuch"
heapmark trace import -o bad.hmt plain.txt
expect_refusal "from what"
heapmark trace import --from text plain.txt
expect_refusal "where to"

# ---- Places of mtrace

printf '@ /lib/a b.so:(ns::f(int)+0x3)[0x40] + 0x10 0x1\n@ [0x7f] - 0x10\n@ ./x:[0x9] + 0x10 0x2\n' >places.txt
heapmark trace import --from mtrace -o places.hmt places.txt
expect_exit 0
heapmark trace dump places.hmt
expect_out "^module 0 - /lib/a b.so$" "^stack 1 0\+40$" "^stack 2 -\+7f$" "^module 1 - ./x$" "^stack 3 1\+9$"

# ---- The real mtrace

cat >program.c <<'END'
#include <mcheck.h>
#include <stdlib.h>
int main(void) {
    mtrace();
    void *kept = malloc(100);
    for (int i = 0; i < 50; i++) {
        void *p = malloc(i);
        p = realloc(p, 2000 + i);
        free(p);
    }
    muntrace();
    free(kept);
    return 0;
}
END
library=$(ldconfig -p | awk '/libc_malloc_debug.so.0/ { print $NF; exit }')
if [[ -n $library ]] && cc -O0 -w program.c -o program 2>/dev/null; then
    MALLOC_TRACE=m.txt LD_PRELOAD=$library ./program
    heapmark trace import --from mtrace -o m.hmt m.txt
    expect_exit 0
    heapmark trace info m.hmt --format json
    expect_exit 0
    cp "$out" m.json
fi

# ---- What info counts

python3 - <<'END' || fail "info counts otherwise"
import json, os
for name in ("every_kind", "plain", "random"):
    info = json.load(open(name + ".json"))
    for line in open(name + ".hmt.counts"):
        key, value = line.split()
        assert str(info[key]) == value, (name, key)
    assert sum(row[2] for row in info["sizes"]) == info["allocations"]
    assert sum(row[3] for row in info["sizes"]) == info["bytes"]
    assert sum(t["operations"] for t in info["by_thread"]) == info["operations"]
if os.path.exists("m.json"):
    info = json.load(open("m.json"))
    assert (info["allocations"], info["frees"], info["end_blocks"], info["stacks"]) == (101, 100, 1, 4)
    assert info["bytes"] == 100 + sum(range(50)) + sum(range(2000, 2050)) and info["peak_bytes"] == 2149
END
