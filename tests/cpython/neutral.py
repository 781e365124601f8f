"""What keeps the interpreter out of a script's sight.

All its own objects are untracked, so that a collection sees nothing but the script's. Some of them (iterators,
generators) can not be freed after that: none that are older live on.

Between two lines, what a script makes is all that changes the counts. The player's own tuples come from the
interpreter's free lists, which are not counted; a full collection empties them, so they are filled again before
each line, and what that counted is taken back by ballast that dies.
"""

import ctypes
import gc

BALLAST = 4000

untrack = ctypes.pythonapi.PyObject_GC_UnTrack
untrack.argtypes = [ctypes.py_object]
untrack.restype = None
track = ctypes.pythonapi.PyObject_GC_Track
track.argtypes = [ctypes.py_object]
track.restype = None
get_count = gc.get_count


class Ballast:
    __slots__ = ("one",)


class State:
    """`automatic`: whether the script has automatic collections on."""

    __slots__ = ("automatic",)


state = State()
ballast = []


def set_automatic(automatic):
    state.automatic = automatic
    if automatic:
        gc.enable()
    else:
        gc.disable()


def load():
    ballast.extend(Ballast() for _ in range(BALLAST - len(ballast)))


def settle(count):
    """Take back what was counted since `count`."""
    get_count()
    for _ in range(get_count()[0] - count):
        ballast.pop()


def warm_up():
    """Fill the free lists of the tuples that callbacks are kept in, and those that are passed."""
    count = pause()
    x = count
    r, s, t = (x,), (x,), (x,)
    a, b, c = (x, x), (x, x), (x, x)
    d, e, f = (x, x, x), (x, x, x), (x, x, x)
    g, h, i = (x, x, x, x), (x, x, x, x), (x, x, x, x)
    j, k, l = (x, x, x, x, x, x), (x, x, x, x, x, x), (x, x, x, x, x, x)
    m, n, o = (x, x, x, x, x, x, x, x), (x, x, x, x, x, x, x, x), (x, x, x, x, x, x, x, x)
    p, q = (x, x, x, x, x, x, x, x, x, x), (x, x, x, x, x, x, x, x, x, x)
    a = b = c = d = e = f = g = h = i = j = k = l = m = n = o = p = q = r = s = t = None
    go_on(count)


def pause():
    """What is counted until `go_on` will be taken back. @return what that needs"""
    gc.disable()
    return get_count()[0]


def go_on(count):
    settle(count)
    if state.automatic:
        gc.enable()


def count_one():
    """As an allocation does; the object goes to the ballast."""
    count = pause()
    thing = Ballast()
    untrack(thing)
    ballast.append(thing)
    thing = None
    go_on(count + 1)


def hide(thing):
    count = pause()
    untrack(thing)
    go_on(count)


def unhide(thing):
    count = pause()
    track(thing)
    go_on(count)


def untrack_all():
    for thing in gc.get_objects():
        untrack(thing)
