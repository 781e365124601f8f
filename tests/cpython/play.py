#!/usr/bin/env python3
"""Plays scripts of `heapmark sim -c` on the collector of the CPython that runs this.

The rows are those of heapmark sim. A line that can not be played here, because it names what is gone, is
answered by `#skip N`, with its number: both sides have to leave it out.

usage: play.py < SCRIPTS        each script begins with a line `script NAME`; so does its answer

How the objects of a script stand here
  container   an instance of a class with slots, its first ones those of the script.
  leaf        an instance of a class without such slots. The collector does not see it, as it is
              untracked; nor its allocation, which is before the script's begin, nor its death, as
              another allocation is counted then.
  weak        an instance of a class derived from weakref.ref, so that it has a slot, too.
  variable    an element of `roots`.
One more slot of each holds its witness, a code object: an object that the collector does not know,
which dies with its owner, and has a weak reference with a callback, that tells of it. That reference is
untracked.

neutral.py keeps the interpreter's own objects out of it. No reference is held across lines but in `roots`.
What is left out: nothing runs more than 50 deaths deep, where the interpreter would put some off.
"""

import gc
import os
import sys
import weakref

from neutral import ballast, count_one, get_count, go_on, hide, load, pause, set_automatic, settle, unhide, untrack
from neutral import untrack_all, warm_up

SLOTS_MAX = 10
NONE, FINALIZE, RESURRECT, COLLECT, DROP = range(5)
LEAF, CONTAINER, WEAK = range(3)
SLOT = ["s%02d" % i for i in range(SLOTS_MAX)]
STATS = ("collections", "collected", "uncollectable")

getrefcount = sys.getrefcount


# ---- What objects are made of; an object is known by the number of the line that made it ----


class Hidden(weakref.ref):
    """To a witness."""

    __slots__ = ("number",)


class Leaf:
    __slots__ = ("z_witness", "__weakref__")


class FinalizedLeaf(Leaf):
    """The interpreter tracks it before it runs this, and wants it tracked unless it is resurrected."""

    __slots__ = ()

    def __del__(self):
        hide(self)
        finalize_object(self)
        if play.roots[play.name_of[number_of(self)]] is not self:
            unhide(self)


class Weak(weakref.ref):
    __slots__ = (SLOT[0], "z_witness")


CODE = (lambda: 0).__code__


def make_witness(number, hidden):
    witness = CODE.replace(co_firstlineno=number)
    hidden[number] = Hidden(witness, witness_died)
    hidden[number].number = number
    return witness


def number_of(thing):
    return thing.z_witness.co_firstlineno


def finalize_object(self):
    finalize(number_of(self), self)


def make_class(slots):
    return type("Container", (), {"__slots__": (*SLOT[:slots], "z_witness", "__weakref__")})


CONTAINERS = [make_class(n) for n in range(SLOTS_MAX + 1)]
FINALIZED = [type("Finalized", (c,), {"__slots__": (), "__del__": finalize_object}) for c in CONTAINERS]


# ---- What the collector does ----


def witness_died(reference):
    number = reference.number
    name = play.name_of[number]
    play.current[name] = -1
    play.out.append("freed," + play.names[name] + ",")
    if play.kind[number] == LEAF:
        count_one()


def finalize(number, self):
    name = play.name_of[number]
    play.out.append("finalized," + play.names[name] + ",")
    action = play.action[number]
    if action == RESURRECT:
        play.roots[name] = self
    elif action == COLLECT:
        gc.collect(2)
        warm_up()
    elif action == DROP:
        play.roots[play.target[number]] = None


def called_back(reference):
    play.out.append("callback," + play.names[play.name_of[number_of(reference)]] + ",")


# ---- State ----


class Play:
    """The state of one script; lists that are as long as they will ever be."""

    __slots__ = (
        # of each line
        "verbs", "a", "b", "c",
        # of each object
        "name_of", "kind", "slots", "leaves", "witnesses", "hidden", "action", "target", "edges",
        # of each name
        "names", "roots", "current",
        # of a search
        "queue", "parent", "through", "path", "seen", "round",
        # of all
        "out", "baseline", "before",
    )  # fmt: skip


play = Play()


# ---- Finding an object by its name: through the variables, and what they lead to ----


def reach(number):
    """The object, or None if no variable leads to it."""
    root = play.roots[play.name_of[number]]
    if root is not None:
        return root
    play.round += 1
    length = 0
    for name in range(len(play.roots)):
        if play.roots[name] is not None:
            length = enqueue(play.current[name], -1, 0, length)
    at = 0
    while at < length:
        here = play.queue[at]
        if here == number:
            return walk(number)
        edges = play.edges[here]
        for slot in range(len(edges)):
            if edges[slot] >= 0:
                length = enqueue(edges[slot], here, slot, length)
        at += 1
    return None


def enqueue(number, parent, slot, length):
    if play.seen[number] == play.round:
        return length
    play.seen[number] = play.round
    play.parent[number] = parent
    play.through[number] = slot
    play.queue[length] = number
    return length + 1


def walk(number):
    depth = 0
    while play.parent[number] >= 0:
        play.path[depth] = play.through[number]
        depth += 1
        number = play.parent[number]
    thing = play.roots[play.name_of[number]]
    while depth:
        depth -= 1
        thing = getattr(thing, SLOT[play.path[depth]])
    return thing


def find(name):
    number = play.current[name]
    return reach(number) if number >= 0 else None


# ---- Verbs: each returns its value, or None if it can not be played ----


def play_new(line):
    name = play.a[line]
    if play.current[name] >= 0:
        return None
    thing = CONTAINERS[play.slots[line]]() if play.kind[line] == CONTAINER else play.leaves[line]
    play.leaves[line] = None
    for slot in range(play.slots[line]):
        setattr(thing, SLOT[slot], None)
    thing.z_witness = play.witnesses[line]
    play.witnesses[line] = None
    play.roots[name] = thing
    play.current[name] = line
    return ""


def play_weak(line):
    name = play.a[line]
    target = find(play.b[line])
    if play.current[name] >= 0 or target is None or play.kind[play.current[play.b[line]]] == WEAK:
        return None
    count = pause()
    both = (target, called_back)
    target = None
    untrack(both)
    go_on(count)
    thing = Weak(*both)
    setattr(thing, SLOT[0], None)
    thing.z_witness = play.witnesses[line]
    play.witnesses[line] = None
    play.roots[name] = thing
    play.current[name] = line
    thing = None
    both = None
    return ""


def play_drop(line):
    name = play.a[line]
    if play.roots[name] is None:
        return None
    play.roots[name] = None
    return ""


def play_ref(line):
    owner, value = find(play.a[line]), find(play.c[line])
    if owner is None or value is None:
        return None
    edges, slot = play.edges[play.current[play.a[line]]], play.b[line]
    if slot >= len(edges):
        return None
    edges[slot] = play.current[play.c[line]]
    setattr(owner, SLOT[slot], value)
    value = None
    owner = None
    return ""


def play_clear(line):
    owner = find(play.a[line])
    if owner is None:
        return None
    edges, slot = play.edges[play.current[play.a[line]]], play.b[line]
    if slot >= len(edges):
        return None
    edges[slot] = -1
    setattr(owner, SLOT[slot], None)
    owner = None
    return ""


def play_deref(line):
    reference = find(play.a[line])
    if reference is None or play.kind[play.current[play.a[line]]] != WEAK:
        return None
    target = reference()
    return "" if target is None else play.names[play.name_of[number_of(target)]]


def play_finalizer(line):
    thing = find(play.a[line])
    number, action, target = play.current[play.a[line]], play.b[line], play.c[line]
    if thing is None or play.kind[number] == WEAK:
        return None
    if action == DROP and play.current[target] < 0:
        return None
    play.action[number] = action
    play.target[number] = target
    thing.__class__ = FINALIZED[play.slots[number]] if play.slots[number] else FinalizedLeaf
    return ""


def play_collect(line):
    return f"{gc.collect(play.a[line])}"


def play_refcount(line):
    thing = find(play.a[line])
    if thing is None:
        return None
    return f"{getrefcount(thing) - 2}"


def play_count(line):
    gc.disable()
    a, b, c = get_count()
    value = f"{a} {b} {c}"
    go_on(a)
    return value


def play_threshold(line):
    gc.set_threshold(play.a[line], play.b[line], play.c[line])
    return ""


def play_enable(line):
    set_automatic(True)
    return ""


def play_disable(line):
    set_automatic(False)
    return ""


def play_freeze(line):
    gc.freeze()
    return ""


def play_unfreeze(line):
    gc.unfreeze()
    return ""


def read_stats(into):
    stats = gc.get_stats()
    for generation in range(3):
        for field in range(3):
            into[generation * 3 + field] = stats[generation][STATS[field]]


def play_stats(line):
    count = pause()
    now, value = play.before, ""
    read_stats(now)
    for generation in range(3):
        for field in range(3):
            at = generation * 3 + field
            value += f"{' ' if at else ''}{STATS[field]}{generation}={now[at] - play.baseline[at]}"
    go_on(count)
    return value


# ---- Scripts ----

ACTIONS = {"resurrect": RESURRECT, "collect": COLLECT, "drop": DROP}
PRINTS_ID = {"new", "drop", "ref", "clear", "weak", "deref", "finalizer", "refcount"}


def split(text):
    """The words of each line; comments and blank lines have none."""
    return [line.split("#")[0].split() for line in text]


class Names(dict):
    def __missing__(self, name):
        self[name] = len(self)
        return self[name]


def parse_line(words, line, names):
    """The numbers that the verb works with."""
    verb, rest = words[0], words[1:]
    if verb in ("new", "weak"):
        play.name_of[line] = names[rest[0]]
        play.kind[line] = WEAK if verb == "weak" else CONTAINER if int(rest[1]) else LEAF
        play.slots[line] = 1 if verb == "weak" else int(rest[1])
        play.edges[line] = [-1] * play.slots[line]
    if verb == "ref":
        return names[rest[0]], int(rest[1]), names[rest[2]]
    if verb == "clear":
        return names[rest[0]], int(rest[1]), 0
    if verb == "weak":
        return names[rest[0]], names[rest[1]], 0
    if verb == "finalizer":
        action = ACTIONS[rest[1]] if rest[1:] else FINALIZE
        return names[rest[0]], action, names[rest[2]] if action == DROP else 0
    if verb == "collect":
        return int(rest[0]) if rest else 2, 0, 0
    if verb == "threshold":
        return int(rest[0]), int(rest[1]), int(rest[2])
    return names[rest[0]] if rest else 0, 0, 0


def make_hidden():
    """What is not to be allocated while the script runs: leaves, and all witnesses."""
    for line in range(len(play.kind)):
        if play.kind[line] is not None:
            play.witnesses[line] = make_witness(line, play.hidden)
        if play.kind[line] == LEAF:
            play.leaves[line] = Leaf()


def prepare(words):
    n, names = len(words), Names()
    for field in ("name_of", "kind", "slots", "leaves", "witnesses", "hidden", "target"):
        setattr(play, field, [None] * n)
    for field in ("a", "b", "c", "action", "parent", "through", "queue", "path", "seen"):
        setattr(play, field, [0] * n)
    play.edges = [()] * n
    play.verbs = [None] * n
    play.round, play.out = 0, []
    play.baseline, play.before = [0] * 9, [0] * 9
    for line in range(n):
        if words[line]:
            play.verbs[line] = globals()["play_" + words[line][0]]
            play.a[line], play.b[line], play.c[line] = parse_line(words[line], line, names)
    make_hidden()
    play.names = list(names)
    play.roots = [None] * len(names)
    play.current = [-1] * len(names)
    load()


def run(words):
    """What is between the first line and the last: nothing of it is seen by the collector."""
    out, verbs = play.out, play.verbs
    for line in range(len(verbs)):
        if verbs[line] is None:
            continue
        warm_up()
        value = verbs[line](line)
        if value is None:
            out.append(f"#skip {line + 1}")
        else:
            verb = words[line][0]
            shown = words[line][1] if verb in PRINTS_ID else ""
            out.append(verb + "," + shown + "," + value)


def start():
    """Nothing is tracked, nothing is counted, and nothing has survived anything."""
    gc.collect()
    untrack_all()
    gc.collect(2)
    count = get_count()[0]
    read_stats(play.baseline)
    settle(count)
    gc.collect(2)
    play.baseline[6] += 1  # this collection
    set_automatic(True)
    warm_up()


def give_up(why):
    """Leave at once: the interpreter could not take itself apart, as its objects are untracked."""
    sys.stdout.flush()
    print("play.py:", why, file=sys.stderr, flush=True)
    os._exit(1)


def stop():
    """All objects of the script go, without a finalizer that brings them back."""
    gc.disable()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    for line in range(len(play.action)):
        play.action[line] = NONE
    for name in range(len(play.roots)):
        play.roots[name] = None
    gc.collect(2)
    gc.collect(2)
    alive = [play.names[i] for i in range(len(play.names)) if play.current[i] >= 0]
    for line in range(len(play.hidden)):
        play.hidden[line] = None
    if alive or not ballast:
        give_up(f"the player is wrong: {alive} can not be freed, {len(ballast)} of ballast left")


def play_script(text):
    words = split(text)
    gc.disable()
    prepare(words)
    start()
    run(words)
    gc.disable()
    rows = list(play.out)
    stop()
    return rows


def read_scripts(file):
    scripts = []
    for line in file:
        if line.startswith("script "):
            scripts.append((line.split()[1], []))
        else:
            scripts[-1][1].append(line)
    return scripts


def main():
    if sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 11):
        sys.exit("play.py: this is not CPython 3.11, whose rules heapmark keeps to")
    scripts = read_scripts(sys.stdin)
    for i in range(len(scripts)):  # an iterator would be untracked, and could not be freed
        print("script", scripts[i][0])
        print("op,id,value")
        print("\n".join(play_script(scripts[i][1])))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
