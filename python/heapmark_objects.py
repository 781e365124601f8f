#!/usr/bin/python3
"""Records the object graph of a Python program: what its cyclic collector sees.

usage: heapmark_objects.py [-o FILE] [--at exit|call|collection=N|signal=NAME] [--quiet] PROGRAM [ARGUMENT..]

  -o FILE  default PROGRAM.hmobjects; one that is there is replaced
  --at     when: exit (default), when the program has ended and its globals are still there; call, when it
           calls heapmark_objects.snapshot(); collection=N, after the N-th collection; signal=USR1, when
           that signal comes. Once; the program goes on.
  --quiet  does not say what was recorded

Vocabulary
  container  an object that the collector tracks: it is in gc.get_objects().
  leaf       what a container refers to and the collector does not track: numbers, texts, and tuples and
             dictionaries that it has found to hold nothing it would have to look at. What a leaf refers to is
             not recorded.
  edge       a reference that the collector follows: one item of gc.get_referents(container).
  root       a container to which there are more references than edges: as the collector finds it, by its
             reference count less the references from containers.

What was there before the program started, the interpreter's and this module's, is frozen (gc.freeze), so it is
outside: what it refers to are roots. Nothing is traced or profiled while the program runs. Classes, functions
and modules are containers as any other.

The file's bytes are described in docs/object-trace-format.md.
"""

import gc
import os
import platform
import signal
import struct
import sys
import time
import types
import zlib

MAGIC = b"HMOBJ\r\n\x1a"
VERSION = 1
SECONDS = 0.5  # at most, for the time of a collection
ROUNDS = 15

recorder = None  # the one that is waiting for its moment
quiet = False


# ---- The file ----


def varint(out, number):
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def text(out, what):
    """Control characters have no place in a line on a terminal."""
    data = "".join(c if c.isprintable() else "?" for c in what).encode("utf-8", "replace")[:1024]
    data = data.decode("utf-8", "ignore").encode("utf-8")
    varint(out, len(data))
    out += data


def write(path, payload):
    head = MAGIC + struct.pack("<BB6xQQ", VERSION, 0, len(payload), len(payload))
    checksum = zlib.crc32(payload, zlib.crc32(head))
    partial = f"{path}.part{os.getpid()}"
    try:
        with open(partial, "wb") as file:
            file.write(head)
            file.write(payload)
            file.write(struct.pack("<I", checksum))
        os.replace(partial, path)
    except OSError:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def encode(command, collect_ns, garbage, graph):
    """The payload: facts, counts, types, objects, references, roots."""
    out = bytearray()
    text(out, command)
    text(out, f"{platform.python_implementation()} {platform.python_version()}")
    text(out, f"{platform.system()} {platform.release()} {platform.machine()}")
    varint(out, int(time.time()))
    varint(out, collect_ns)
    varint(out, garbage)
    slots, roots = graph.slots, graph.roots
    for count in (len(graph.names), len(graph.objects), len(slots), sum(map(len, slots)), len(roots)):
        varint(out, count)
    for name in graph.names:
        text(out, name)
    for at, (kind, size) in enumerate(graph.objects):
        varint(out, kind)
        varint(out, size)
        if at < len(slots):
            varint(out, len(slots[at]))
    for at, targets in enumerate(slots):
        for target in targets:
            varint(out, target - at << 1 if target >= at else (at - target << 1) - 1)
    before = -1
    for root in roots:
        varint(out, root - before - 1)
        before = root
    return bytes(out)


# ---- The graph ----


def size_of(thing):
    """A program's own __sizeof__ may be anything."""
    try:
        return max(0, min(int(sys.getsizeof(thing)), 2**31 - 1))
    except Exception:  # pylint: disable=broad-except
        return type.__sizeof__(thing) if isinstance(thing, type) else object.__sizeof__(thing)


class Graph:
    """Numbers for all objects: containers first, in the order of the collector's lists, then leaves in the order
    in which they are met."""

    def __init__(self):
        self.names = {}
        self.objects = []
        self.slots = []
        self.roots = []

    def describe(self, thing):
        kind = type(thing)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        return self.names.setdefault(name, len(self.names)), size_of(thing)

    def take(self, containers, counts):
        """@param counts references to each container from anywhere but this module"""
        number = {id(c): at for at, c in enumerate(containers)}
        self.objects = [self.describe(c) for c in containers]
        inside = [0] * len(containers)
        leaves = []
        for container in containers:
            targets = []
            for target in gc.get_referents(container):
                at = number.setdefault(id(target), len(number))
                if at >= len(containers):
                    if at == len(containers) + len(leaves):
                        leaves.append(self.describe(target))
                else:
                    inside[at] += 1
                targets.append(at)
            self.slots.append(targets)
        self.objects += leaves
        self.roots = [at for at, count in enumerate(counts) if count > inside[at]]

    def reach(self):
        """Which objects the roots lead to: what else there is, is garbage."""
        reached = bytearray(len(self.objects))
        todo = list(self.roots)
        for at in todo:
            reached[at] = 1
        while todo:
            at = todo.pop()
            for target in self.slots[at] if at < len(self.slots) else ():
                if not reached[target]:
                    reached[target] = 1
                    todo.append(target)
        return reached

    def drop_garbage(self):
        """@return how many containers were garbage"""
        reached = self.reach()
        new = []
        count = 0
        for one in reached:
            new.append(count)
            count += one
        garbage = len(self.slots) - sum(reached[: len(self.slots)])
        self.slots = [[new[t] for t in targets] for at, targets in enumerate(self.slots) if reached[at]]
        self.objects = [o for at, o in enumerate(self.objects) if reached[at]]
        self.roots = [new[at] for at in self.roots]
        return garbage


def median_collection_ns():
    """The second collection and those after it find nothing: they walk what is alive."""
    gc.collect()
    times = []
    until = time.monotonic() + SECONDS
    while len(times) < ROUNDS and (len(times) < 3 or time.monotonic() < until):
        before = time.perf_counter_ns()
        gc.collect()
        times.append(time.perf_counter_ns() - before)
    return sorted(times)[len(times) // 2]


def observe():
    """All containers, and the references to each, with some of this function's. Makes no container of its own before
    it has them, and neither do its callers: no closures."""
    containers = gc.get_objects()
    counts = list(map(sys.getrefcount, containers))
    return containers, counts


class Recorder:
    """Writes one snapshot, when it is asked for the first time."""

    def __init__(self, path, command, moment):
        self.path = path
        self.command = command
        self.moment = moment
        self.done = False

    def snapshot(self, may_collect=True):
        if self.done:
            return
        self.done = True
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e6)  # no other thread has its turn in between
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            collect_ns = median_collection_ns() if may_collect else 0
            containers, counts = observe()
            self.save(collect_ns, containers, counts)
        finally:
            sys.setswitchinterval(interval)
            if was_enabled:
                gc.enable()

    def save(self, collect_ns, containers, counts):
        if not collect_ns:  # within a collection: the argument of its callbacks is there, too
            keep = [at for at, c in enumerate(containers) if not is_callback_info(c)]
            containers, counts = [containers[at] for at in keep], [counts[at] for at in keep]
        extra = next(map(sys.getrefcount, [[]]))  # what this way of counting adds
        graph = Graph()
        graph.take(containers, [count - extra for count in counts])
        garbage = graph.drop_garbage()
        write(self.path, encode(self.command, collect_ns, garbage, graph))
        tell(
            f"{len(graph.slots)} containers, {len(graph.objects) - len(graph.slots)} leaves, "
            f"{sum(map(len, graph.slots))} references, {len(graph.roots)} roots"
            + (f", {garbage} containers left out, as they were garbage" if garbage else "")
            + f": {self.path}"
        )


def is_callback_info(thing):
    return type(thing) is dict and thing.keys() == {"generation", "collected", "uncollectable"}


def say(line):
    print(f"heapmark_objects: {line}", file=sys.stderr)


def tell(line):
    if not quiet:
        say(line)


def snapshot():
    """Record now, if this program is being recorded with --at call."""
    if recorder and recorder.moment == "call":
        recorder.snapshot()


# ---- When ----


def after_collections(count):
    left = count

    def callback(phase, _info):
        nonlocal left
        if phase == "stop" and left > 0:
            left -= 1
            if not left:
                recorder.snapshot(may_collect=False)

    gc.callbacks.append(callback)


def on_signal(name):
    number = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None)
    if not isinstance(number, signal.Signals):
        refuse(f"--at signal={name}: there is no such signal")
    signal.signal(number, lambda _number, _frame: recorder.snapshot())
    say(f"waiting for {number.name} in process {os.getpid()}")


def refuse(line):
    say(line)
    sys.exit(2)


def prepare(moment):
    """@return whether the snapshot is taken at the program's end"""
    what, _, value = moment.partition("=")
    if what == "collection" and value.isascii() and value.isdigit() and 0 < int(value) < 10**9:
        after_collections(int(value))
    elif what == "signal" and value:
        on_signal(value)
    elif moment not in ("exit", "call"):
        refuse(f"--at {moment}: must be exit, call, collection=N or signal=NAME")
    return moment == "exit"


def parse(arguments):
    global quiet  # pylint: disable=global-statement
    path, moment, rest = None, "exit", list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in ("-h", "--help"):
            print(__doc__)
            sys.exit(0)
        if option == "--":
            break
        if option == "--quiet":
            quiet = True
            continue
        if option not in ("-o", "--at"):
            refuse(f"unknown option '{option}'; see --help")
        if not rest:
            refuse(f"option '{option}' needs a value")
        if option == "-o":
            path = rest.pop(0)
        else:
            moment = rest.pop(0)
    if not rest:
        refuse("which program? see --help")
    return path, moment, rest


def load(program):
    try:
        with open(program, "rb") as file:
            return compile(file.read(), program, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError) as problem:
        return refuse(f"{program}: {problem}")


def main(arguments):
    global recorder  # pylint: disable=global-statement
    path, moment, rest = parse(arguments)
    code = load(rest[0])
    path = os.path.abspath(path or os.path.basename(rest[0]) + ".hmobjects")
    recorder = Recorder(path, " ".join(rest), moment)
    at_end = prepare(moment)
    sys.modules["heapmark_objects"] = sys.modules["__main__"]
    main_module = types.ModuleType("__main__")
    main_module.__file__ = rest[0]
    main_module.__builtins__ = __builtins__
    sys.modules["__main__"] = main_module
    sys.argv[:] = rest
    sys.path[0] = os.path.dirname(os.path.abspath(rest[0]))
    space = main_module.__dict__
    status = 0
    gc.collect()
    gc.freeze()
    try:
        exec(code, space)  # pylint: disable=exec-used
    except SystemExit as end:
        status = end.code
    if at_end:
        recorder.snapshot()
    elif not recorder.done:
        say("the moment to record at did not come: nothing was written")
        status = status or 1
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
