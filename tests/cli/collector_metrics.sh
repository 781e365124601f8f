#!/usr/bin/env bash
# What is told of collectors agrees with what it is computed from.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark run --rounds 3 -a system -c none,refcount,generational -w rings -t 1 -o o --no-plots
expect_exit 0

# rows FILE: the table without quotes, for awk; no label here has a comma.
rows() {
    tr -d '"\r' <"$1"
}

# median METRIC COLLECTOR
median() {
    rows o/stats.csv | awk -F, -v metric="$1" -v collector="$2" '
        $7 == metric && $3 == collector && $2 == "system" { print $11 }'
}

least=$(for c in none refcount generational; do median mutator_ns "$c"; done | sort -g | head -n 1)
for c in none refcount generational; do
    awk -v lbo="$(median lower_bound_overhead "$c")" -v time="$(median time_ns "$c")" \
        -v least="$least" 'BEGIN { exit !(least > 0 && (lbo - time / least) ^ 2 < 1e-12) }' ||
        fail "the lower-bound overhead of $c is $(median lower_bound_overhead "$c")"
    for metric in mmu_1ms bmu_1ms mutator_ns collector_ns; do
        [[ -n $(median "$metric" "$c") ]] || fail "$c has no $metric"
    done
done

# The bound is shown beside what it is the bound of, the same for all, and so is that of processor time.
for c in none refcount generational; do
    awk -v least="$least" -v shown="$(median distilled_minimum_ns "$c")" \
        'BEGIN { exit !((least - shown) ^ 2 < 1e-12) }' ||
        fail "the distilled minimum beside $c is $(median distilled_minimum_ns "$c"), not $least"
done
least_cpu=$(for c in none refcount generational; do median mutator_cpu_ns "$c"; done | sort -g | head -n 1)
awk -v lbo="$(median lower_bound_overhead_cpu generational)" -v cpu="$(median cpu_ns generational)" \
    -v least="$least_cpu" 'BEGIN { exit !(least > 0 && (lbo - cpu / least) ^ 2 < 1e-12) }' ||
    fail "the overhead of generational in processor time is $(median lower_bound_overhead_cpu generational)"

# In each process the parts of the time add up to it, and so do the pauses.
rows o/samples.csv | awk -F, '
    $14 == "time_ns" && $13 == -1 { time[$3 $10] = $15; ops[$3 $10] = $18 }
    $14 == "mutator_ns" { mutator[$3 $10] = $15 }
    $14 == "collector_ns" { collector[$3 $10] = $15 }
    $14 == "cpu_ns" { cpu[$3 $10] = $15 }
    $14 == "mutator_cpu_ns" { mutator_cpu[$3 $10] = $15 }
    $14 == "pause_total_ns" { pauses[$3 $10] = $15 }
    function far(a, b) { return (a - b) ^ 2 > (1e-9 * (a + b + 1)) ^ 2 }
    END {
        for (p in time) {
            count++
            if (!(p in mutator) || far(mutator[p] + collector[p], time[p]) ||
                far(collector[p] * ops[p], pauses[p]) ||
                far(mutator_cpu[p] * time[p], cpu[p] * mutator[p]))
                bad = bad " " p
        }
        if (bad || count < 9) { print count ":" bad; exit 1 }
    }' >odd || fail "the parts of the time do not add up: $(cat odd)"

# One without pauses leaves all of the time to the mutator; one that collects does not.
[[ $(median mmu_1ms none) == 1 ]] || fail "'none' has an MMU of $(median mmu_1ms none)"
awk -v mmu="$(median mmu_1ms generational)" 'BEGIN { exit !(mmu >= 0 && mmu < 1) }' ||
    fail "'generational' has an MMU of $(median mmu_1ms generational)"

# The pauses lie in the time of the run, and leave of its longest window what is not paused.
rows o/series.csv | awk -F, '
    FNR == NR { if ($14 == "time_ns" && $13 == -1) length_ns[$3 $10] = $15 * $18; next }
    $5 == "pause_ns" && !($4 + $6 <= 1.001 * length_ns[$1 $2] + 1000) { late = late " " $1 ":" $4 }
    END { if (late) { print late; exit 1 } }' <(rows o/samples.csv) /dev/stdin >odd ||
    fail "pauses after the end of the run: $(cut -c 1-200 odd)"

# The longest window is the whole run, of which either utilisation is what the pauses leave; bounded, a longer window
# never has less, nor any more than the minimum.
rows o/series.csv | awk -F, '
    FNR == NR {
        if ($14 == "time_ns" && $13 == -1) length_ns[$3 $10] = $15 * $18
        if ($14 == "pause_total_ns") paused_ns[$3 $10] = $15
        next
    }
    $5 == "mmu" { mmu[$1 $2] = $6; window[$1 $2] = $4 }
    $5 == "bmu" && ($6 > mmu[$1 $2] + 1e-9 || $6 < before[$1 $2] - 1e-9) { bad = bad " " $1 ":" $4 }
    $5 == "bmu" { before[$1 $2] = $6 }
    END {
        for (p in length_ns) {
            count++
            if (window[p] - length_ns[p] > 1 || length_ns[p] - window[p] > 1 ||
                (mmu[p] - 1 + paused_ns[p] / length_ns[p]) ^ 2 > 1e-8)
                bad = bad " " p
        }
        if (bad || count < 9) { print count ":" bad; exit 1 }
    }' <(rows o/samples.csv) /dev/stdin >odd || fail "odd utilisation: $(cut -c 1-200 odd)"

# Where a collector has nothing to do, nothing is measured.
heapmark run --rounds 1 -a system -c refcount,generational,marksweep \
    -w graph:objects=1000,graph:objects=1000:what=free -o g --no-plots
expect_exit 0
expect_in g/samples.csv "refcount never collects" "marksweep frees nothing at once"
[[ $(rows g/samples.csv | awk -F, '$14 == "time_ns" && $19 == "ok"' | grep -c "/generational/") -eq 2 ]] ||
    fail "generational was not measured on both"
heapmark run -a system -c refcount -w graph:shape=dll:what=free --dry-run
expect_refusal "graph: shape=dll is a cycle"

# Garbage is what was never freed: with counts alone every ring, with the cycle collector none.
last_garbage() {
    rows o/series.csv | awk -F, -v cell="rings/system/$1/" '
        index($1, cell) && $5 == "garbage_objects" { last = $6 } END { print last }'
}
[[ $(last_garbage generational) == 0 ]] || fail "garbage is left: $(last_garbage generational)"
trend() {
    median garbage_trend "$1"
}
[[ $(trend none) == 1 && $(trend refcount) == 1 && $(trend generational) == 0 ]] ||
    fail "trends of garbage: none $(trend none), refcount $(trend refcount), generational $(trend generational)"
# A ring of three for each operation, and nobody frees it.
awk -v slope="$(median garbage_slope_per_op refcount)" 'BEGIN { exit !(slope > 0.9) }' ||
    fail "the slope of refcount's garbage is $(median garbage_slope_per_op refcount)"
[[ $(last_garbage refcount) -gt 2100 ]] || fail "refcount leaks $(last_garbage refcount) objects"
