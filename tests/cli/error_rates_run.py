#!/usr/bin/env python3
"""In the place of heapmark, for scripts/error-rates: leaves a run whose figures are known.

error_rates_run.py run JOB -o DIR --no-plots [OPTION..]
error_rates_run.py doctor --format json

Twelve rounds. Every copy is as fast as the baseline in every round, and `slower` is slower by 5 % for every 700
turns of its handicap, and by 0.02 % more from each round to the next, around that. What else holds is chosen by the number at the end of DIR: the second run of each of the first five pairs is slower
as a whole by 3 %; run 3 calls a copy faster, and runs 1 and 2 do not find the slower arm. Each call is a line
in the file that $CALLS names; run $STOP_AT stays unfinished.
"""
import configparser
import csv
import json
import os
import re
import sys

if sys.argv[1] == "doctor":
    told = [{"rounds": 12, "margin": 0.02, "difference": 0.0414}, {"rounds": 12, "margin": 0, "difference": 0.02},
            {"rounds": 30, "margin": 0.02, "difference": 0.03}, {"rounds": 30, "margin": 0, "difference": 0.0121}]
    sys.exit(print(json.dumps({"noise": {"told": told}})) or 1)

job, folder = sys.argv[2], sys.argv[sys.argv.index("-o") + 1]
parser = configparser.ConfigParser()
parser.read(job)
arms = parser["run"]["allocators"].split(", ")
number = int((re.search(r"-(\d+)$", folder) or [0, 0])[1])
with open(os.environ["CALLS"], "a", encoding="utf-8") as calls:
    print(os.path.relpath(folder), parser["allocator slower"]["use"].split(":")[1], *sys.argv[6:], file=calls)

metric = "instructions_per_op" if parser["run"]["metrics"] == "instructions" else "time_ns"
drift = 1.03 if number % 2 == 0 and number <= 10 else 1
turns = int(re.search(r"turns=(\d+)", parser["allocator slower"]["use"])[1])
ratios = {"slower": 1 + 0.05 * turns / 700}
verdicts = {arm: "slower" if arm == "slower" else "equivalent" for arm in arms}
verdicts["base"] = "NA"
if number == 3:
    verdicts[arms[-2]] = "faster"
if number in (1, 2):
    verdicts["slower"] = "inconclusive"

os.makedirs(folder)
entries = []
with open(os.path.join(folder, "samples.csv"), "w", encoding="utf-8", newline="") as file:
    out = csv.writer(file)
    out.writerow("cell allocator round thread metric value status".split())
    for arm in [*arms, "base#2"]:
        for i in range(12):
            value = 20 * (1 + 0.001 * i) * drift * ratios.get(arm, 1)
            value *= 1 + 0.0002 * (i - 5.5) if arm == "slower" else 1
            out.writerow([f"churn/{arm}/-/t1/core", arm, i, -1, metric, f"{value:.17g}", "ok"])
            entries.append({"name": f"churn/{arm}/-/t1/core/iterations:9/manual_time", "run_type": "iteration",
                            "family_index": 0, "per_family_instance_index": 0, "repetition_index": i,
                            "real_time": value, "cpu_time": value, "time_unit": "ns"})
with open(os.path.join(folder, "stats.csv"), "w", encoding="utf-8", newline="") as file:
    out = csv.writer(file)
    out.writerow("cell allocator metric verdict".split())
    for arm in [*arms, "base#2"]:
        out.writerow([f"churn/{arm}/-/t1/core", arm, metric, verdicts.get(arm, "equivalent")])
        out.writerow([f"churn/{arm}/-/t1/core", arm, "peak_rss_bytes", "slower"])
with open(os.path.join(folder, "gbench.json"), "w", encoding="utf-8") as file:
    json.dump({"context": {}, "benchmarks": entries}, file)
with open(os.path.join(folder, "run.json"), "w", encoding="utf-8") as file:
    stopped = os.environ.get("STOP_AT") == str(number)
    json.dump({"state": "running" if stopped else "finished", "rounds": 12, "build": {"version": "9.9"},
               "started_utc": "2026-01-01T00:00:00Z",
               "machine": {"cpu_model": "made CPU", "cores": 2, "kernel": "6.1", "hypervisor": True}}, file)
sys.exit(1 if stopped else 0)
