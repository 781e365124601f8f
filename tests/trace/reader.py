"""Another reader of traces, written from docs/trace-format.md alone. Of each FILE it writes FILE.text, as
`heapmark trace dump` prints it, and FILE.counts, the trailer's numbers as it counts them itself.

usage: reader.py FILE..
"""
import ctypes
import struct
import sys

zstd = ctypes.CDLL("libzstd.so.1")
xxhash = ctypes.CDLL("libxxhash.so.0")
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

KINDS = ("malloc calloc realloc reallocarray aligned_alloc posix_memalign memalign valloc pvalloc"
         " inherited free usable thread-begin thread-end").split()
NULL, FOREIGN = 0, 2**64 - 1


def xxh3(data, seed=0):
    return xxhash.XXH3_64bits_withSeed(data, len(data), seed)


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                assert (byte or shift == 7) and value < 2**64 and shift <= 70
                return value

    def folded(self):
        value = self.varint()
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def text(self):
        length = self.varint()
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def end(self):
        assert self.at == len(self.data)


def blocks(file):
    at = 16
    assert file[:16] == b"\x89HMT\r\n\x1a\n" + struct.pack("<II", 1, 0)
    while at < len(file):
        kind, encoding, zero, entries, raw, stored, offset, checksum = struct.unpack(
            "<BBHIIIQQ", file[at : at + 32])
        data = file[at + 32 : at + 32 + stored]
        assert zero == 0 and offset == at and len(data) == stored
        assert checksum == xxh3(data, xxh3(file[at : at + 24]))
        if encoding:
            assert stored < raw
            room = ctypes.create_string_buffer(raw)
            assert zstd.ZSTD_decompress(room, raw, data, stored) == raw
            data = room.raw
        assert len(data) == raw and entries <= raw <= 262144
        at += 32 + stored
        yield kind, entries, Bytes(data)


class Trace:
    def __init__(self):
        self.lines, self.modules, self.stacks, self.printed = [], [], [], {}
        self.new_stacks = 0
        self.next, self.time = 1, 0
        self.live = {}  # block: bytes, thread
        self.words = bytearray()
        self.live_bytes = 0
        self.count = dict.fromkeys(
            "operations allocations frees bytes peak_bytes peak_blocks blocks threads stacks failed"
            " null_frees foreign inherited cross_thread_frees duration_ns".split(), 0)

    def facts(self, data):
        flags = data.varint()
        self.has_times, self.has_stacks = flags & 1, flags >> 1
        pid, started, page = data.varint(), data.folded(), data.varint()
        self.lines.append("heapmark-trace 1")
        for name in ("program", "command", "recorder", "machine"):
            self.lines.append(f"{name} {data.text()}")
        self.lines += [f"pid {pid}", f"started {started}", f"page {page}",
                       f"times {self.has_times}", f"stacks {self.has_stacks}"]

    def print_stacks(self):
        for frames in self.stacks[self.new_stacks :]:
            self.new_stacks += 1
            words = []
            for module, offset in frames:
                path, build_id = self.modules[module - 1] if module else ("", "")
                number = "-"
                if path or build_id:
                    name = f"{build_id or '-'} {path}"
                    if name not in self.printed:
                        self.printed[name] = len(self.printed)
                        self.lines.append(f"module {self.printed[name]} {name}")
                    number = self.printed[name]
                words.append(f" {number}+{offset:x}")
            self.lines.append(f"stack {self.new_stacks}" + "".join(words))

    def events(self, entries, data):
        assert data.varint() == self.next and data.varint() == self.time
        self.thread = 0
        self.count["stacks"] = len(self.stacks)
        for _ in range(entries):
            self.print_stacks()
            self.event(data)

    def event(self, data):
        first = data.byte()
        kind, failed = first & 15, first >> 4 & 1
        if first & 32:
            self.thread = data.varint()
        self.time += data.varint() if self.has_times else 0
        stack = data.varint() if self.has_stacks else 0
        block = alignment = size = 0
        count = 1
        makes = kind in (0, 1) or 4 <= kind <= 9
        if kind in (2, 3, 10, 11):
            value = data.varint()
            block = {0: NULL, 1: FOREIGN}.get(value, self.next + 1 - value)
        if 4 <= kind <= 9:
            alignment = data.byte()
        if kind in (1, 3):
            count = data.varint()
        if kind <= 9:
            size = data.varint()
        if makes and not failed:
            block = self.next
            self.next += 1
        self.words += struct.pack("<QQQQQQ", kind + 256 * alignment + 65536 * failed + 2**32 * self.thread,
                                  stack, block, count, size, self.time)
        self.tally(kind, failed, block, count * size, makes)
        name = {NULL: "NULL", FOREIGN: "foreign"}.get(block, block)
        words = [self.thread, KINDS[kind]]
        words += [name] if kind in (2, 3, 10, 11) else []
        words += [2**alignment if alignment else 0] if 4 <= kind <= 9 else []
        words += [count] if kind in (1, 3) else []
        words += [size] if kind <= 9 else []
        words += ["= failed"] if failed else [f"= {block}"] if makes else []
        words += [f"@{self.time}"] if self.has_times else []
        words += [f"#{stack}"] if stack else []
        self.lines.append(" ".join(map(str, words)))

    def tally(self, kind, failed, block, size, makes):
        c = self.count
        resizes = kind in (2, 3)
        c["operations"] += kind not in (9, 12, 13)
        c["failed"] += failed
        c["null_frees"] += kind == 10 and block == NULL
        c["foreign"] += block == FOREIGN
        c["inherited"] += kind == 9
        c["threads"] = max(c["threads"], self.thread + 1)
        c["blocks"] = self.next - 1
        c["duration_ns"] = self.time
        if failed or kind >= 11 or block == NULL:
            return
        dies = resizes or kind == 10
        c["frees"] += dies
        c["allocations"] += (makes or resizes) and kind != 9
        c["bytes"] += size if (makes or resizes) and kind != 9 else 0
        if block == FOREIGN:
            return
        if dies:
            old, owner = self.live.pop(block)
            self.live_bytes -= old
            c["cross_thread_frees"] += owner != self.thread
        if makes or resizes:
            self.live[block] = size, self.thread
            self.live_bytes += size
        c["peak_bytes"] = max(c["peak_bytes"], self.live_bytes)
        c["peak_blocks"] = max(c["peak_blocks"], len(self.live))

    def trailer(self, data):
        self.print_stacks()
        self.count["stacks"] = len(self.stacks)
        for name, value in self.count.items():
            assert data.varint() == value, name
        dropped, end, status = data.varint(), data.varint(), data.folded()
        (stated,) = struct.unpack("<Q", data.data[data.at : data.at + 8])
        data.at += 8
        assert stated == xxh3(bytes(self.words))
        self.count["hash"] = f"{stated:016x}"
        self.lines += [f"dropped {dropped}", f"end {('exit', 'signal', 'exec', 'unknown')[end]} {status}"]


def read(path):
    trace = Trace()
    kind = 0
    for number, (kind, entries, data) in enumerate(blocks(open(path, "rb").read())):
        assert (kind == 1) == (number == 0)
        if kind == 1:
            trace.facts(data)
        elif kind == 2:
            trace.modules += [(data.text(), data.text()) for _ in range(entries)]
        elif kind == 3:
            trace.stacks += [[(data.varint(), data.varint()) for _ in range(data.varint())]
                             for _ in range(entries)]
        elif kind == 4:
            trace.events(entries, data)
        else:
            trace.trailer(data)
        data.end()
    assert kind == 5
    with open(path + ".text", "w") as out:
        print("\n".join(trace.lines), file=out)
    with open(path + ".counts", "w") as out:
        for name, value in trace.count.items():
            print(name, value, file=out)


for name in sys.argv[1:]:
    read(name)
