#!/usr/bin/env bash
# trace: a bad file is refused in one line before anything runs; an example is replayed by allocators that all do the
# same, with the trace's own peak, and drawn; more threads than were recorded are skipped.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

example=$source_dir/docs/traces/sqlite.hmtrace

refused() {
    heapmark run -a system -w "trace$1" -o o
    shift
    expect_refusal "$@"
    expect "a run of nothing" test ! -e o
}

refused "" "trace: file= is missing" "docs/replay.md"
refused ":file=nowhere.hmtrace" "nowhere.hmtrace: No such file"
refused ":file=nowhere" "nowhere: No such file"
mkdir folder
refused ":file=folder" "folder"
echo "a text" >text
refused ":file=text" "text"
head -c 9000 "$example" >short
refused ":file=short" "short"
cp "$example" flipped
printf '\377\377' | dd of=flipped bs=1 seek=9000 conv=notrunc status=none
refused ":file=flipped" "flipped"
refused ":file=sqlite:touch=some" "touch"

heapmark run -a system,pool -w trace:file=sqlite -t 1,2 --rounds 1 -o run
expect_exit 0
expect "no figure of time against memory" test -s run/plots/fit.svg
"$hm" trace info "$example" --format json >info
expect "the replays are not the trace" python3 - <<'END'
import csv, json
info = json.load(open("info"))
rows = list(csv.DictReader(open("run/samples.csv")))
ok = [r for r in rows if r["status"] == "ok" and r["threads"] == "1"]
peaks = {r["value"] for r in ok if r["metric"] == "peak_live_bytes"}
assert peaks == {str(info["peak_bytes"])}, peaks
live = [float(r["value"]) for r in ok if r["metric"] == "live_bytes"]
assert live and 0.5 * info["peak_bytes"] < max(live) <= info["peak_bytes"], live
calls = {int(r["ops"]) for r in ok if r["metric"] == "time_ns"}
again = info["operations"] - info["failed"] - info["null_frees"] - info["foreign"]
assert calls and all(n % again == 0 for n in calls), (calls, again)
assert {r["allocator"] for r in ok} >= {"system", "pool", "floor"}, ok
skipped = [r for r in rows if r["status"] == "skip"]
assert skipped and all("work for 1 thread" in r["reason"] for r in skipped), skipped
END

# Cells that differ only in the end of a long label stand under a head each.
folder=$(printf 'a%.0s' {1..200})
mkdir "$folder"
cp "$source_dir/docs/traces/threads.hmtrace" "$folder/t"
heapmark run -a floor -w "trace:file=$folder/t" -t 1,2 --rounds 1 --metrics space --no-plots -o long
expect_exit 0
expect_out "/t, 1 thread$" "/t, 2 threads"

# Times that are far apart are drawn so that all of them can be told apart.
grep -q "log scale" run/plots/fit.svg && fail "times that are near have a log scale"
python3 - <<'END'
import csv
rows = list(csv.DictReader(open("run/stats.csv")))
with open("run/stats.csv", "w") as file:
    out = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
    out.writeheader()
    for row in rows:
        if row["allocator"] == "pool" and row["metric"] == "time_ns":
            row["median"] = 1000 * float(row["median"])
        out.writerow(row)
END
heapmark plot run --figure fit
expect_exit 0
expect_in run/plots/fit.svg "ns for one call, log scale"
