# A program for a recording: threads pass lists of texts on to each other.
import queue
import threading

lines = queue.Queue(8)
words = queue.Queue(8)
result = {}


def read():
    for i in range(1500):
        lines.put([f"{i}:{j}:" + "x" * (i * j % 90) for j in range(5)])
    lines.put(None)


def split():
    while (batch := lines.get()) is not None:
        words.put([line.split(":") for line in batch])
    words.put(None)


def count():
    while (batch := words.get()) is not None:
        for _, number, text in batch:
            result.setdefault(len(text), []).append(number)


threads = [threading.Thread(target=work) for work in (read, split, count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(result), sum(map(len, result.values())))
