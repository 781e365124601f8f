#!/usr/bin/env bash
# A run goes on only with what it began with: options, heapmark, libraries and machine; --force is recorded.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# other_build FROM TO: the same code under another build id.
other_build() {
    python3 - "$1" "$2" <<'END' || fail "can not give a file another build id"
import os, struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
note = struct.pack("<III", 4, 20, 3) + b"GNU\0"  # a name of 4 bytes, 20 bytes, NT_GNU_BUILD_ID
at = data.index(note) + len(note)
data[at] ^= 1
open(sys.argv[2], "wb").write(data)
os.chmod(sys.argv[2], 0o755)
END
}

# told KEY..: a value of o/run.json.
told() {
    python3 -c '
import json, sys
value = json.load(open("o/run.json"))
for key in sys.argv[1:]:
    value = value[int(key) if key.isdigit() else key]
print(value)' "$@"
}

cp "$hm" mine
cp "$hm" kept
matrix=(-a "floor,system" -w churn:live=100 -t 1 --quick --metrics time --no-plots)
run ./mine run "${matrix[@]}" --rounds 1 -o o
expect_exit 0
cp -r o first

# What was measured stands in run.json.
[[ $(told build id) == $(told images 0 id) ]] || fail "the first image is not the program"
[[ $(told build id) =~ ^[0-9a-f]{40}$ ]] || fail "heapmark has no build id"
[[ $(told build program) == "$work/mine" ]] || fail "the program is $(told build program)"
[[ $(told allocators 1 label) == system && $(told allocators 1 own) == False ]] || fail "system is our own"
grep -q "\"id\": \"$(told allocators 1 code)\"" o/run.json || fail "the C library's id is that of no image"
[[ $(told cells 0 images) == 0-* ]] || fail "the cell's images are $(told cells 0 images)"

# The same goes on, with more rounds, and from another folder.
run ./mine run "${matrix[@]}" --rounds 2 --resume o
expect_exit 0
[[ $(told resumed 0 forced) == "[]" && $(told resumed 0 rounds) == 2 ]] || fail "the second part is not recorded"
run ./kept run "${matrix[@]}" --rounds 2 --resume o
expect_exit 0
cp -r o second

# refused OPTION.. WORD: whatever differs.
refused() {
    rm -rf o
    cp -r second o
    run ./mine run "${matrix[@]}" "${@:1:$#-1}" --resume o
    expect_refusal "not the same run" "${!#}" "--force"
    diff -r second o >/dev/null || fail "a refused run has changed the results"
}
refused --rounds 2 --seed 9 "--seed was 1, and is 9"
refused --rounds 2 --metrics time,space "--metrics was"
refused --rounds 2 --metrics latency --rate 100 "--rate was 0, and is 100"
refused --rounds 2 --rigorous "mode"

# A default that is another one by now, and the environment of an arm.
sed -i 's/"spec": "churn:live=100"/"spec": "churn:live=100:x=1"/' second/run.json
refused --rounds 2 "spec of churn:live=100 was churn:live=100:x=1"
sed -i 's/:x=1"/"/; s/"fingerprint": "....../"fingerprint": "qqqqqq/' second/run.json
refused --rounds 2 "machine's fingerprint"

# Another heapmark.
cp -r first/. second
other_build kept mine
refused --rounds 2 "the build of heapmark was"
run ./mine run "${matrix[@]}" --rounds 2 --resume o --force
expect_exit 0
[[ $(told doubt) == "resumed by force: the build of heapmark was"* ]] || fail "no doubt: $(told doubt)"
[[ $(told resumed 0 forced 0) == "the build of heapmark was"* ]] || fail "force is not recorded"
run ./mine run "${matrix[@]}" --rounds 2 --resume o
expect_exit 0
[[ $(told doubt) == "resumed by force: the build of heapmark was"* ]] || fail "the doubt is forgotten"
heapmark compare first o
expect_out "NEW is doubted by its own run: resumed by force"

# Another library under the same name.
cp "$(dirname "$hm")/preload/libheapmark-pool.so" libmine.so
cp libmine.so kept.so
matrix=(-a ./libmine.so -w churn:live=100 -t 1 --quick --metrics time --no-plots)
rm -rf second
run ./kept run "${matrix[@]}" --rounds 1 -o second
expect_exit 0
other_build kept.so libmine.so
cp kept mine
refused --rounds 1 "code of libmine.so was"
run ./mine run "${matrix[@]}" --rounds 2 --resume o --force
expect_exit 0
run ./mine run "${matrix[@]}" --rounds 2 --resume o
expect_exit 0

run ./mine run "${matrix[@]}" --force
expect_refusal "force goes with --resume"
run ./mine exec -a system --force -- true
expect_refusal "force goes with --resume"
