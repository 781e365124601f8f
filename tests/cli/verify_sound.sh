#!/usr/bin/env bash
# No false alarm: what verify finds in an allocator that is used everywhere, a program of a few lines
# without any of our code must see too, and is a known deviation of that library. Our own parts have
# nothing to be found.
# labels: plain
# timeout: 300
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Names the properties whose breach it sees, in the malloc that it runs on.
cc -O0 -w -o witness -xc - <<'C'
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
static volatile size_t wide = (size_t)1 << 32, huge = (size_t)PTRDIFF_MAX + 1;
int main(void) {
    int bad = 0;
    for (volatile size_t alignment = 32; alignment <= 4096; alignment *= 2)
        for (int i = 0; i < 100; i++)
            bad |= (uintptr_t)aligned_alloc(alignment, alignment) % alignment != 0;
    if (bad)
        puts("alignment");
    void *old = malloc(40);
    errno = 0;
    bad = calloc(wide, wide) == NULL && errno != ENOMEM;
    errno = 0;
    bad |= malloc(huge) == NULL && errno != ENOMEM;
    errno = 0;
    bad |= realloc(old, huge) == NULL && errno != ENOMEM;
    if (bad)
        puts("enomem");
    return 0;
}
C

# The same for the library of CPython, whose allocator has other names.
cc -O0 -w -o python_witness -xc - <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
static volatile size_t huge = (size_t)PTRDIFF_MAX + 1;
int main(void) {
    void *library = dlopen("libpython3.11.so.1.0", RTLD_NOW);
    void *(*allocate)(size_t) = library ? dlsym(library, "PyObject_Malloc") : NULL;
    if (!allocate)
        return 1;
    errno = 0;
    if (allocate(huge) == NULL && errno != ENOMEM)
        puts("enomem");
    return 0;
}
C

# only_what_is_there ALLOCATOR LIBRARY [WITNESS]: LIBRARY is what the witness runs on, or empty. All that
# deviates is seen by the witness, and all that the witness sees deviates; nothing fails.
only_what_is_there() {
    local property witness=${3:-./witness}
    heapmark verify -a "$1" --ops 20K
    if grep -q "is not installed" "$err"; then
        echo "not tried: $1 is not installed"
        return
    fi
    LD_PRELOAD=$2 "$witness" >seen 2>/dev/null || fail "the witness does not run on $1"
    expect_exit 0
    ! grep -q "^failed" "$out" || fail "a false alarm: $1"
    awk -v name="$1" '$1 == "property" { for (i = 2; i <= NF; i++) if ($i == name) column = i }
        column && $column == "deviates" && $1 !~ /^random/ { print $1 }' "$out" >found
    while read -r property; do
        grep -qx "$property" seen || fail "a false alarm: $1, $property"
        expect_out "^deviates: ${1/+/\\+},.* ${property}[,:]"
    done <found
    while read -r property; do
        grep -qx "$property" found || fail "not found: $1, $property"
    done <seen
    [[ $(wc -l <found) -eq 0 ]] || expect_out "^${1/+/\\+}: .* [1-9][0-9]* deviate, 0 failed,"
}

only_what_is_there system ""
only_what_is_there jemalloc libjemalloc.so.2
only_what_is_there mimalloc libmimalloc.so.2
only_what_is_there tcmalloc libtcmalloc_minimal.so.4
only_what_is_there pymalloc "" ./python_witness
only_what_is_there locked+pymalloc "" ./python_witness

# The same file, given by its path, is excused from nothing.
not_excused() {
    local library
    library=$(ldconfig -p | sed -n "s/.* => \(.*\/$1\)$/\1/p" | head -n 1)
    [[ -n $library ]] || return 0
    LD_PRELOAD=$1 ./witness >seen 2>/dev/null
    [[ -s seen ]] || return 0
    heapmark verify -a "$library" --property alignment,enomem
    expect_exit 1
    ! grep -q "^deviates" "$out" || fail "$library is excused"
    [[ $(grep -c "^failed" "$out") -eq $(wc -l <seen) ]] || fail "not all of $1 fails"
}

not_excused libjemalloc.so.2
not_excused libmimalloc.so.2
not_excused libtcmalloc_minimal.so.4

# What gives nothing back until reset has not passed what asks for it; it fails nothing either.
for part in region locked+region traced+region; do
    heapmark verify -a "$part" --ops 20K
    expect_exit 0
    expect_out "^exhaustion +unsupported" "^cross-thread +unsupported" "^unsupported: exhaustion: it ran out"
done

for part in pool pool:arena=256K:pool=4K first-fit first-fit:size=1M first-fit:align=1:size=4M; do
    heapmark verify -a "$part" --ops 20K
    expect_exit 0
    ! grep -qE "^(failed|deviates)" "$out" || fail "a false alarm: $part"
done
