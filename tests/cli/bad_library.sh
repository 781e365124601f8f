#!/usr/bin/env bash
# What is not a shared library for this machine is refused before anything is measured.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

library good <<'C'
#include <stddef.h>
void *malloc(size_t n) { (void)n; return NULL; }
C

refused() {
    local path=$1
    shift
    heapmark run -a "$path" -w churn --rounds 1 -o "$work/o"
    expect_refusal "$@"
    rm -rf "$work/o"
}

refused ./missing.so "missing\.so" "no such file"

cp good.so other.so
printf '\267\000' | dd of=other.so bs=1 seek=18 conv=notrunc status=none # e_machine: AArch64
refused ./other.so "other\.so" "machine|architecture"

cp good.so narrow.so
printf '\001' | dd of=narrow.so bs=1 seek=4 conv=notrunc status=none # e_ident: 32 bits
refused ./narrow.so "narrow\.so" "32|machine|architecture|class"

echo "not a library" >text.so
refused ./text.so "text\.so" "not a"

: >empty.so
refused ./empty.so "empty\.so" "not a"

head -c 40 good.so >torn.so
refused ./torn.so "torn\.so"

mkdir folder.so
refused ./folder.so "folder\.so"

cc -O1 -o program -xc - <<<'int main(void) { return 0; }'
refused ./program "program" "not a"
