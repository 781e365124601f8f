#!/usr/bin/env bash
# check-includes finds each kind of forbidden include, and nothing in the tree as it is.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check=$source_dir/scripts/check-includes
mkdir clean
(cd "$source_dir" && cp -r allocators collectors workloads traces harness "$work/clean")

run "$check" clean
expect_exit 0

# planted FILE LINE WORD..: a copy with one more file, which has only this line.
planted() {
    local file=$1 line=$2
    shift 2
    rm -rf planted
    cp -r clean planted
    mkdir -p "planted/$(dirname "$file")"
    echo "$line" >"planted/$file"
    run "$check" planted
    expect_exit 1
    [[ $(wc -l <"$out") -eq 1 ]] || fail "not one violation"
    expect_out "^$file:1: " "$@"
}

planted allocators/mine.c '#include "harness/error.h"' "interfaces below"
planted allocators/mine.c '#include "collectors/collector.h"' "interfaces below"
planted allocators/mine.c '#include <hwloc.h>' "harness/machine only"
planted allocators/mine.c '#include <jansson.h>' "library of the harness"
planted allocators/mine.c '#include "../harness/error.h"' "root of the tree"
planted allocators/mine.c '#include "part.h"' "interfaces below"
planted allocators/mine.c '  #  include <harness/error.h>' "interfaces below"
planted collectors/mine.c '#include "workloads/workload.h"' "interfaces below"
planted workloads/heap/mine.c '#include "harness/stats/stats.h"' "interfaces below"
planted workloads/heap/mine.c '#include "collectors/collector.h"' "interfaces below"
planted workloads/thread/mine.c '#include "collectors/collector.h"' "interfaces below"
planted workloads/object/mine.c '#include "harness/error.h"' "interfaces below"
planted workloads/heap/mine.c '#include MINE' "names its file"
planted harness/stats/mine.c '#include <stdio.h>' "no I/O"
planted harness/stats/mine.h '#include <fcntl.h>' "no I/O"
planted harness/stats/mine.c '#include <unistd.h>' "no I/O"
planted harness/stats/mine.c '#include "harness/error.h"' "nothing from outside"
planted harness/report/mine.c '#include "harness/cell/cell.h"' "never a cell"
planted harness/cli/mine.c '#include <hwloc.h>' "harness/machine only"
planted harness/cli/mine.c '#include <hwloc/linux.h>' "harness/machine only"
planted harness/cli/mine.c '#include <benchmark/benchmark.h>' "gbench.cc only"
planted harness/cli/mine.cc 'int mine;' "gbench.cc only"
planted allocators/mine.hpp 'int mine;' "gbench.cc only"
planted harness/cli/mine.c '#include "tests/mine.h"' "root of the tree"

run "$check" "$work/no-such-tree"
expect_exit 2
