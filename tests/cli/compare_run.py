"""Makes result folders by hand: compare_run.py DIR [KEY=VALUE..] [-- DIR [KEY=VALUE..]]..

Three workloads on `system` (the baseline), its A/A arm, `pool` and floor, in 8 rounds. Every value is a base
times a round's factor (which all arms of a round share) times small noise of its own.

  drift=F         all times of the run, by this factor
  pool=F churn=F  time of pool, of all on the workload churn
  space=F         footprint of pool
  again=F         time of the A/A arm
  spread=F        noise, as a fraction (0.002)
  rounds=N  seed=N  latency=F  counts=F: of instructions
  fail=CELL       a cell that fails half way; drop=CELL: one that is not there; add=CELL: one more
  machine.KEY=V  run.KEY=V  build.KEY=V   of run.json; V as JSON
  params=TEXT     of the workload churn
  id=HEX  libc=HEX  build ids of heapmark, which pool and floor are in, and of system's library
  arms=A,B  baseline=A   which of the arms are there, and what the others are compared with
"""
import json
import os
import random
import sys

def make(folder, given):
    def number(key, default=1.0):
        return float(given.get(key, default))

    rounds = int(given.get("rounds", 8))
    draw = random.Random(int(given.get("seed", 1)))
    run = {
        "schema": 1, "run": "made-" + os.path.basename(folder), "state": "finished", "seed": 1,
        "started_utc": "2026-01-01T00:00:00Z", "mode": "default", "rounds": rounds, "rate": 0,
        "threading": "isolated", "pin": "core", "doubt": None,
        "build": {"version": "0.1.0", "type": "Release", "compiler": "cc_1", "sanitize": ""},
        "machine": {"cpu_model": "made CPU", "architecture": "x86_64", "cores": 2, "pus": 2,
                    "kernel": "6.1.0-1", "glibc": "2.36"},
    }
    for key, value in given.items():
        if "." in key and key.split(".")[0] in ("machine", "build", "run"):
            part, name = key.split(".")
            (run if part == "run" else run[part])[name] = json.loads(value)
    arms = [("system", False, False), ("system#2", False, True), ("pool", False, False),
            ("floor", True, False)]
    run["allocators"] = [{"label": label, "spec": label, "params": ["-"], "build_id": None, "env": [],
                          "control": control, "again": again} for label, control, again in arms]
    if "id" in given:
        run["build"]["id"] = given["id"]
        for arm in run["allocators"]:
            arm["own"] = not arm["label"].startswith("system")
            arm["code"] = None if arm["own"] else given["libc"]
    if "arms" in given:
        arms = [arm for arm in arms if arm[0] in given["arms"].split(",")]
    baseline = given.get("baseline", "system")
    workloads = ["churn", "lists", "trees"]
    rows = []
    cells = []
    for workload in workloads:
        for allocator, control, again in arms:
            cell = f"{workload}/{allocator}/-/t1/core"
            if given.get("drop") == cell:
                continue
            cells.append({"cell": cell, "baseline": f"{workload}/{baseline}/-/t1/core"})
    if "add" in given:
        cells.append({"cell": given["add"], "baseline": given["add"]})
    run["cells"] = cells
    for r in range(rounds):
        shared = {w: 1 + 0.01 * draw.random() for w in workloads}
        for cell in cells:
            workload, allocator = cell["cell"].split("/")[:2]

            def noise():
                return 1 + number("spread", 0.002) * (draw.random() - 0.5)

            time = 20 * number("drift") * shared.get(workload, 1) * noise()
            time *= number("pool") if allocator == "pool" else 1
            time *= number("again") if allocator == "system#2" else 1
            time *= number("churn") if (workload, allocator) == ("churn", "pool") else 1
            space = 1e6 * noise() * (number("space") if allocator == "pool" else 1)
            values = [("time_ns", time, "ns/op", "lower"), ("ops_per_second", 1e9 / time, "op/s", "higher"),
                      ("footprint_bytes", space, "bytes", "lower"),
                      ("live_bytes", 1000 + r, "bytes", "neither")]
            if "counts" in given:
                values.append(("instructions_per_op", 99 * number("counts"), "instr/op", "lower"))
            if "latency" in given:
                values.append(("latency_malloc_p99_ns", 50 * number("latency") * noise(), "ns", "lower"))
            params = given.get("params", "live=100") if workload == "churn" else "-"
            failed = given.get("fail") == cell["cell"] and r >= rounds // 2
            for metric, value, unit, better in values[:1] if failed else values:
                rows.append(f"1,{run['run']},{cell['cell']},{allocator},-,{workload},{params},1,core,{r},0,0,-1,"
                            f"{metric},{'NA' if failed else repr(value)},{unit},{better},1000,"
                            f"{'signal,killed by SIGSEGV' if failed else 'ok,'},2026-01-01T00:00:00Z")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "run.json"), "w") as out:
        json.dump(run, out)
    with open(os.path.join(folder, "samples.csv"), "w") as out:
        out.write("schema,run,cell,allocator,collector,workload,params,threads,pin,round,position,rep,thread,"
                  "metric,value,unit,better,ops,status,reason,started_utc\n")
        out.write("".join(row + "\n" for row in rows))


words = sys.argv[1:]
while words:
    end = words.index("--") if "--" in words else len(words)
    make(words[0], dict(word.split("=", 1) for word in words[1:end]))
    words = words[end + 1:]
