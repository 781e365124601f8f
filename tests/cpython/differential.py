#!/usr/bin/env python3
"""Plays the same scripts on heapmark's `generational` and on CPython, and compares row by row.

Compared, line by line: the line's own row (what a collection found, counts, statistics, targets, reference
counts); the finalizers and callbacks that it set off, in their order; the objects that it freed. Their
order is not compared: a program can not see it in CPython, where memory comes back at the end of a death
that may have caused others.

usage: differential.py HEAPMARK [--count N] [--seed N] [--keep DIR] [SCRIPT..]
    --count N     random scripts (default 500, or none if there are scripts)
    --seed N      of the first one; the next has N + 1 (default 1)
    --keep DIR    where scripts with another answer are kept, with both answers
    --collector C (default generational)

Exit status: 0 all equal; 1 a difference, which is shown; 77 there is no CPython 3.11 to compare with.
"""

import argparse
import importlib.util
import os
import random_scripts
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 250
SIDE_EFFECTS = ("freed", "finalized", "callback")
SHOWN_MAX = 5
SECONDS_MAX = 30  # of one script


class Wrong(Exception):
    pass


def play_in_cpython(scripts):
    """@return for each script its rows, and the numbers of the lines that were left out"""
    text = "".join(f"script {i}\n" + "\n".join(lines) + "\n" for i, lines in enumerate(scripts))
    played = subprocess.run(
        [sys.executable, "-BsE", os.path.join(HERE, "play.py")], input=text, capture_output=True, text=True
    )
    if played.returncode or played.stderr:
        raise Wrong(f"play.py failed ({played.returncode}): {played.stderr.strip()}")
    answers = []
    for part in played.stdout.split("script ")[1:]:
        rows = part.splitlines()[1:]
        skipped = {int(row.split()[1]) for row in rows if row.startswith("#skip")}
        answers.append(([row for row in rows if row and not row.startswith("#")], skipped))
    return answers


def play_in_heapmark(options, lines, skipped):
    """@return the rows, and the line on stderr"""
    text = "\n".join("" if i + 1 in skipped else line for i, line in enumerate(lines)) + "\n"
    command = [options.heapmark, "sim", "-c", options.collector]
    try:
        played = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return [], f"heapmark did not end within {SECONDS_MAX} s"
    complaint = played.stderr.strip()
    if played.returncode and not complaint:
        complaint = f"heapmark ended with {played.returncode}"
    return played.stdout.splitlines(), complaint


def steps(rows):
    """What each line set off: (its row, finalizers and callbacks in order, the set of the freed)."""
    events, freed = [], []
    for row in rows[1:]:
        op = row.split(",", 1)[0]
        if op == "freed":
            freed.append(row)
        elif op in SIDE_EFFECTS:
            events.append(row)
        else:
            yield row, events, sorted(freed)
            events, freed = [], []
    if events or freed:
        yield "(no row)", events, sorted(freed)


def only_shared(row, other):
    """Of a row of statistics, the fields that the other one has, too."""
    if not row.startswith("stats,"):
        return row
    names = {field.split("=")[0] for field in other.split(",")[2].split()} if other.startswith("stats,") else {}
    return "stats,," + " ".join(sorted(f for f in row.split(",")[2].split() if f.split("=")[0] in names))


def difference(theirs, ours):
    """@return the first one between two answers, as text, or None"""
    a, b = list(steps(theirs)), list(steps(ours))
    for number, (x, y) in enumerate(zip(a, b)):
        for what, p, q in (
            ("row", only_shared(x[0], y[0]), only_shared(y[0], x[0])),
            ("finalizers and callbacks", x[1], y[1]),
            ("freed", x[2], y[2]),
        ):
            if p != q:
                return f"answer {number + 1} ({x[0].split(',', 1)[0]}): {what}: CPython {p}, heapmark {q}"
    return None if len(a) == len(b) else f"CPython gave {len(a)} answers and heapmark {len(b)}"


def keep(options, name, lines, skipped, theirs, ours):
    if not options.keep:
        return
    os.makedirs(options.keep, exist_ok=True)
    stem = os.path.join(options.keep, name)
    played = ["" if i + 1 in skipped else line for i, line in enumerate(lines)]
    for suffix, rows in ((".script", played), (".cpython", theirs), (".heapmark", ours)):
        with open(stem + suffix, "w") as file:
            file.write("\n".join(rows) + "\n")


def check(options, name, lines, answer):
    """@return None, or what is different"""
    theirs, skipped = answer
    ours, complaint = play_in_heapmark(options, lines, skipped)
    found = difference(theirs, ours) if not complaint else complaint
    if found:
        keep(options, name, lines, skipped, theirs, ours)
    return found


def check_batch(options, named):
    names, scripts = [name for name, _ in named], [lines for _, lines in named]
    answers = play_in_cpython(scripts)
    if len(answers) != len(scripts):
        raise Wrong("play.py ended before its time")
    results = [(name, check(options, name, lines, answer)) for name, lines, answer in zip(names, scripts, answers)]
    return results, sum(len(rows) - 1 for rows, _ in answers)


def batches(options):
    for path in options.scripts:
        with open(path) as file:
            yield [(os.path.basename(path), file.read().splitlines())]
    seeds = range(options.seed, options.seed + options.count)
    for first in range(0, len(seeds), BATCH):
        yield [(f"seed-{seed}", random_scripts.generate(seed)) for seed in seeds[first : first + BATCH]]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heapmark")
    parser.add_argument("scripts", nargs="*")
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    parser.add_argument("--collector", default="generational")
    options = parser.parse_args()
    if options.count is None:
        options.count = 0 if options.scripts else 500
    return options


def main():
    if sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 11):
        print(f"skipped: heapmark keeps to the rules of CPython 3.11, and this is {sys.version.split()[0]}")
        return 77
    if not importlib.util.find_spec("_ctypes"):
        print("skipped: this python has no ctypes, with which play.py keeps the interpreter apart")
        return 77
    options, scripts, rows, different = parse(), 0, 0, 0
    with ThreadPoolExecutor(2) as pool:
        for results, count in pool.map(lambda batch: check_batch(options, batch), batches(options)):
            scripts, rows = scripts + len(results), rows + count
            for name, found in results:
                if found and different < SHOWN_MAX:
                    print(f"{name}: {found}")
                different += bool(found)
    print(f"{scripts} scripts, {rows} rows, {different} scripts with a difference")
    return 1 if different or not scripts else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Wrong, OSError) as error:
        sys.exit(f"differential.py: {error}")
