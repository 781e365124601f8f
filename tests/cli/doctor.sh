#!/usr/bin/env bash
# `heapmark doctor`: verdicts and exit status for copies of machines that were made up; JSON that is well
# formed; and `run --require-quiet`, which refuses where the doctor does.
# labels: plain
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

heapmark doctor --format xml
expect_refusal "format=xml"
heapmark doctor --root no-such-folder
expect_refusal "no-such-folder/proc"
heapmark doctor --nonoise
expect_refusal "did you mean '--no-noise'"
heapmark doctor now
expect_refusal "'now'"

mkdir -p copy/proc copy/sys/devices/system/cpu/cpufreq/policy0
echo "0.10 0.20 0.30 1/9 9" >copy/proc/loadavg
heapmark doctor --root copy
expect_exit 0
expect_out "^good +load +0.10" "^unknown +governor +NA" "^Fit to measure on"
echo powersave >copy/sys/devices/system/cpu/cpufreq/policy0/scaling_governor
echo "0.80 0.20 0.30 1/9 9" >copy/proc/loadavg
heapmark doctor --root copy
expect_exit 1
expect_out "^bad +governor +powersave" "mend with .cpupower" "^warn +load +0.80" "^Not fit"
[[ $(awk '{ print length }' "$out" | sort -n | tail -n 1) -le 80 ]] || fail "wider than 80 columns"

# verdict NAME: of the JSON in $out.
verdict() {
    python3 -c 'import json, sys
print([c["verdict"] for c in json.load(open(sys.argv[2]))["checks"] if c["name"] == sys.argv[1]][0])' \
        "$1" "$out"
}
heapmark doctor --root copy --format json
expect_exit 1
for pair in governor:bad load:warn turbo:unknown noise:unknown; do
    [[ $(verdict "${pair%:*}") == "${pair#*:}" ]] || fail "${pair%:*} is not ${pair#*:}"
done

heapmark doctor --help
expect_exit 0
[[ $(awk '{ print length }' "$out" | sort -n | tail -n 1) -le 80 ]] || fail "wider than 80 columns"

# More threads than CPUs beside us: neither the doctor nor a run likes that.
spinners=()
for ((i = 0; i <= $(nproc); i++)); do
    nice -n 19 bash -c 'while :; do :; done' &
    spinners+=($!)
done
heapmark doctor --no-noise --format json
doctor=$status
others=$(verdict others)
heapmark "${tiny[@]}" --require-quiet -o noisy
if [[ $others == bad ]]; then
    [[ $doctor -eq 1 ]] || fail "the doctor calls it fit"
    expect_exit 1
    expect_err "not quiet: .* other threads are running"
    [[ ! -e noisy ]] || fail "it made a folder"
    heapmark exec -a system --require-quiet --rounds 1 -o noisy -- true
    expect_exit 1
    expect_err "not quiet"
fi
kill "${spinners[@]}"
