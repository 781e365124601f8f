#!/usr/bin/env bash
# A library that exports hm_plugin is loaded by the measured process alone, with its own parameters,
# and under layers; what is wrong with it is the reason of its failed cells.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cc -O1 -shared -fPIC -I"$source_dir" -o libstepped.so "$source_dir/docs/examples/plugin.c" ||
    fail "the example does not compile"

measure() {
    rm -rf o
    heapmark run -a "$1" -w churn -t "${2:-1}" --rounds 1 --timeout 20 --no-plots -o o
}

# states COLUMN LABEL: the values of one allocator's rows.
states() {
    column o/samples.csv allocator >allocators
    column o/samples.csv "$1" | paste -d ' ' allocators - | grep -F "$2 " | sort -u
}

# ends_as STATUS ALLOCATOR LABEL [REASON [THREADS]]
ends_as() {
    measure "$2" "${5:-1}"
    [[ $(states status "$3") == "$3 $1" ]] || fail "$3: $(states status "$3")"
    [[ -z ${4:-} ]] || states reason "$3" | grep -q "$4" ||
        fail "$3 has the reason '$(states reason "$3")', and not '$4'"
}

ends_as ok ./libstepped.so libstepped.so "" 2
expect_exit 0
ends_as ok "$PWD/libstepped.so:step=4K" libstepped.so:step=4K
ends_as ok "traced+locked+./libstepped.so:step=16" traced+locked+libstepped.so:step=16
expect_exit 0

# Nothing is preloaded, and the run says what it was that it measured.
expect "its malloc is not the C library's" grep -q "libc\.so\.6" o/samples.csv o/run.json
expect "run.json does not name the file" grep -q "$PWD/libstepped.so" o/run.json

ends_as invalid ./libstepped.so:stride=8 libstepped.so:stride=8 "unknown parameter 'stride'"
expect_exit 1
ends_as invalid ./libstepped.so:step=1M libstepped.so:step=1M "out of range"

# plugin NAME DESCRIPTOR
plugin() {
    printf '#include "allocators/allocator.h"\n%s\n' "$2" |
        cc -shared -fPIC -I"$source_dir" -o "$1.so" -xc - || fail "$1 does not compile"
}

plugin stale 'const struct hm_allocator hm_plugin = {.abi = HM_ALLOCATOR_ABI + 1, .name = "stale"};'
ends_as invalid ./stale.so stale.so "ABI"

plugin empty 'const struct hm_allocator hm_plugin = {.abi = HM_ALLOCATOR_ABI, .name = "empty"};'
ends_as invalid ./empty.so empty.so "no open"

plugin lone '
static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    *out = *options->inner;
    return 0;
}
const struct hm_allocator hm_plugin = {
    .abi = HM_ALLOCATOR_ABI, .name = "lone", .open = open_heap};'
ends_as ok ./lone.so lone.so
ends_as invalid ./lone.so lone.so "" 2
ends_as ok locked+./lone.so locked+lone.so "" 2

plugin closed '
static int open_heap(struct hm_memory *out, const struct hm_heap_options *options) {
    (void)out, (void)options;
    return 12;
}
const struct hm_allocator hm_plugin = {
    .abi = HM_ALLOCATOR_ABI, .name = "closed", .open = open_heap};'
ends_as oom ./closed.so closed.so

# A library without a descriptor has no parameters; it may stand under layers.
library plain <<'C'
int nothing(void) { return 0; }
C
heapmark run -a ./plain.so:step=8 -w churn -t 1 --rounds 1 -o p
expect_refusal "no parameters" "hm_plugin"
ends_as wrong-allocator traced+./plain.so traced+plain.so

heapmark run -a traced+./absent.so -w churn -t 1 --rounds 1 -o p
expect_refusal "absent\.so" "no such file"

mkdir a+b
cp libstepped.so a+b
heapmark run -a ./a+b/libstepped.so -w churn -t 1 --rounds 1 -o p
expect_refusal "can not have"
