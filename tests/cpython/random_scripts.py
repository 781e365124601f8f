#!/usr/bin/env python3
"""Random scripts for heapmark sim, each from its number and nothing else.

A script has finalizers that collect, or weak references that refer to something, but not both: CPython 3.11
crashes when a collection begins while such a reference dies, as it clears the slots before the target
forgets it (subtype_dealloc).

What a line names may be gone when it is played, as finalizers can drop variables and bring objects back:
whoever plays the script leaves such a line out.

usage: random_scripts.py SEED [COUNT]      prints the scripts, each behind a line `script SEED`
"""

import random
import sys

NAMES = 14
SLOTS_MAX = 4
WEAKS_MAX = 4  # of one target


class Generator:
    """One script: `rooted` and `slots` are what holds if no finalizer has interfered."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.lines = []
        self.rooted = []
        self.slots = {}
        self.targets = {}
        self.serial = 0
        self.crowded = 0
        self.weights = self.draw_weights()
        self.finalized = self.rng.random() < 0.7
        self.collects = self.rng.random() < 0.5

    def draw_weights(self):
        """How often each verb comes: scripts differ in what they are about."""
        usual = {
            "new": 10, "ring": 2, "drop": 8, "ref": 12, "clear": 3, "weak": 5, "deref": 3, "finalizer": 4,
            "collect": 4, "threshold": 1, "enable": 1, "disable": 1, "freeze": 0.4, "unfreeze": 0.6,
            "count": 2, "stats": 1, "refcount": 2, "reuse": 1, "crowd": 0.5,
            "lazarus": 0.6,
        }  # fmt: skip
        return {verb: weight * self.rng.choice((0.3, 1, 1, 2)) for verb, weight in usual.items()}

    def say(self, *words):
        self.lines.append(" ".join(str(word) for word in words))

    def name(self, letter):
        self.serial += 1
        return f"{letter}{self.serial}"

    def any(self):
        """A name, mostly that of a variable."""
        known = list(self.slots)
        return self.rng.choice(self.rooted if self.rooted and self.rng.random() < 0.7 else known)

    def make(self, slots, name=None):
        name = name or self.name("n" if slots else "l")
        self.say("new", name, slots)
        self.slots[name] = slots
        self.rooted.append(name)
        return name

    def new(self):
        self.make(self.rng.choice((0, 1, 1, 2, 2, 3, SLOTS_MAX)))

    def reuse(self):
        """A name that has been dropped: refused by both, unless its object is freed."""
        gone = [n for n in self.slots if n not in self.rooted and not n.startswith("w")]
        if gone:
            name = self.rng.choice(gone)
            self.make(self.slots[name], name)

    def ring(self):
        """A cycle, perhaps with something behind it, that nothing holds any more."""
        members = [self.make(self.rng.choice((1, 2, 2, 3, 4))) for _ in range(self.rng.randint(1, 4))]
        for a, b in zip(members, members[1:] + members[:1]):
            self.say("ref", a, 0, b)
        for name in members:
            if self.slots[name] > 1 and self.rng.random() < 0.5:
                self.say("ref", name, 1, self.any())
            if self.rng.random() < 0.3:
                self.weak(name)
            if self.finalized and self.rng.random() < 0.25:
                self.finalizer(name)
            if self.rng.random() < 0.3:
                self.burden(name)
        for name in members:
            if self.rng.random() < 0.8:
                self.let_go(name)

    def burden(self, owner):
        """Its slots hold leaves whose deaths are told, so that their order shows."""
        for slot in range(1, self.slots[owner]):
            name = self.make(0)
            self.say("ref", owner, slot, name)
            self.finalizer(name) if self.rng.random() < 0.5 else self.weak(name)
            self.let_go(name)

    def crowd(self):
        """Objects that stay, so that full collections have to wait; or that leave a hole in what stays."""
        for _ in range(self.rng.randint(4, 16)):
            self.make(1)
            self.crowded += 1

    def lazarus(self):
        """An object that comes back, perhaps when it is old, and holds itself the next time it is dropped."""
        name = self.make(2)
        self.collect()
        self.say("finalizer", name, "resurrect")
        if self.rng.random() < 0.3:
            self.say("ref", name, 0, name)
        self.say("drop", name)
        self.collect()
        self.say("ref", name, 0, name)
        self.let_go(name)
        self.collect()

    def let_go(self, name):
        self.say("drop", name)
        if name in self.rooted:
            self.rooted.remove(name)

    def drop(self):
        self.let_go(self.any())

    def owner(self):
        owners = [n for n in self.slots if self.slots[n] and not (self.collects and n.startswith("w"))]
        rooted = [n for n in self.rooted if n in owners]
        return self.rng.choice(rooted if rooted and self.rng.random() < 0.7 else owners) if owners else None

    def ref(self):
        owner = self.owner()
        if owner:
            self.say("ref", owner, self.rng.randrange(self.slots[owner]), self.any())

    def clear(self):
        owner = self.owner()
        if owner:
            self.say("clear", owner, self.rng.randrange(self.slots[owner]))

    def weak(self, target=None):
        target = target or self.any()
        if target.startswith("w") or self.targets.get(target, 0) >= WEAKS_MAX:
            return
        self.targets[target] = self.targets.get(target, 0) + 1
        name = self.name("w")
        self.say("weak", name, target)
        self.slots[name] = 1
        self.rooted.append(name)

    def deref(self):
        weak = [n for n in self.slots if n.startswith("w")]
        if weak:
            self.say("deref", self.rng.choice(weak))

    def finalizer(self, name=None):
        name = name or self.any()
        if not self.finalized or name.startswith("w"):
            return
        action = self.rng.choice(("", "", "resurrect", "collect" if self.collects else "drop", "drop"))
        self.say("finalizer", name, *([action] if action else []), *([self.any()] if action == "drop" else []))

    def collect(self):
        self.say("collect", *self.rng.choice(((), (0,), (0,), (1,), (2,))))

    def threshold(self):
        often = (0, 0, 0, 1, 2, 3)
        self.say("threshold", self.rng.choice((0, 1, 2, 3, 5, 8)), self.rng.choice(often), self.rng.choice(often))

    def refcount(self):
        self.say("refcount", self.any())

    def step(self):
        verb = self.rng.choices(list(self.weights), list(self.weights.values()))[0]
        if verb in ("enable", "disable", "freeze", "unfreeze", "count", "stats"):
            self.say(verb)
        elif len(self.rooted) > NAMES + self.crowded and verb in ("new", "ring", "weak", "reuse", "lazarus"):
            self.drop()
        else:
            getattr(self, verb)()

    def script(self):
        if self.rng.random() < 0.4:
            self.say("disable")
        else:
            self.threshold()
        self.new()
        for _ in range(self.rng.randint(5, self.rng.choice((40, 60, 100)))):
            self.step()
        if self.rng.random() < 0.7:
            self.end()
        return self.lines

    def end(self):
        for name in list(self.rooted):
            self.let_go(name)
        for verb in ("count", "collect 0", "collect", "collect", "count", "stats"):
            self.say(verb)


def generate(seed):
    """The lines of a script."""
    return Generator(seed).script()


def main():
    first = int(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for seed in range(first, first + count):
        print("script", seed)
        print("\n".join(generate(seed)))


if __name__ == "__main__":
    main()
