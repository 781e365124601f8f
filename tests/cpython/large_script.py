#!/usr/bin/env python3
"""One large script for heapmark sim: rings that a few random references tie together, their objects strewn
over memory. They are dropped by and by, with full collections in between.

It is for what a collector does only where a list is long and jumps about in memory.

usage: large_script.py SEED OBJECTS [--finalizers]      one object in 50 has a finalizer
"""

import random
import sys

SIZES = (1, 2, 5, 50, 400)  # of the rings


def draw_rings(rng, objects):
    turn = list(range(objects))
    rng.shuffle(turn)
    rings = []
    while turn:
        size = rng.choice(SIZES)
        rings.append(turn[:size])
        del turn[:size]
    return rings


def link(rng, rings):
    for ring in rings:
        for a, b in zip(ring, ring[1:] + ring[:1]):
            yield f"ref n{a} 0 n{b}"
            if rng.random() < 0.5:
                yield f"ref n{a} 1 n{rng.choice(ring)}"
            if rng.random() < 0.02:
                yield f"ref n{a} 2 n{rng.choice(rng.choice(rings))}"


def drop_all(rng, rings):
    """Two in five of those that are left, again and again; some of the others grow."""
    serial = 0
    while rings:
        count = len(rings) * 2 // 5 + 1
        yield from (f"drop n{ring[0]}" for ring in rings[:count])
        rings = rings[count:]
        yield from ("collect", "collect", "stats")
        for ring in rings[: len(rings) // 4]:
            yield from (f"new x{serial} 3", f"ref x{serial} 0 n{ring[0]}", f"ref n{ring[0]} 2 x{serial}")
            yield f"drop x{serial}"
            serial += 1


def script(seed, objects, finalizers):
    rng = random.Random(seed)
    rings = draw_rings(rng, objects)
    yield from (f"new n{i} 3" for i in range(objects))
    yield from link(rng, rings)
    if finalizers:
        yield from (f"finalizer n{i}" for i in rng.sample(range(objects), objects // 50))
    for ring in rings:
        yield from (f"drop n{i}" for i in ring[1:])
    yield from ("collect", "stats")
    rng.shuffle(rings)
    yield from drop_all(rng, rings)


if __name__ == "__main__":
    print("\n".join(script(int(sys.argv[1]), int(sys.argv[2]), "--finalizers" in sys.argv)))
