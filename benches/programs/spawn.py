"""Spawns processes by multiprocessing, or keeps some idle, and prints what was measured: lines `name value`."""

import multiprocessing
import sys
import time


def live(pipe):
    pipe.send(1)
    try:
        pipe.recv()
    except EOFError:
        pass


def spawn(context):
    ours, theirs = context.Pipe()
    process = context.Process(target=live, args=(theirs,), daemon=True)
    process.start()
    ours.recv()
    return ours, process


def end(child):
    pipe, process = child
    pipe.send(0)
    process.join()


def measure(context, milliseconds):
    spans = []
    until = time.monotonic() + milliseconds / 1e3
    while len(spans) < 3 or time.monotonic() < until:
        begun = time.monotonic()
        child = spawn(context)
        spans.append(1e6 * (time.monotonic() - begun))
        end(child)
    spans.sort()
    print("p50_us", spans[len(spans) // 2])
    print("p99_us", spans[len(spans) * 99 // 100])


def memory(context, count):
    children = [spawn(context) for _ in range(count)]
    time.sleep(0.3)
    total = 0
    for _, process in children:
        with open(f"/proc/{process.pid}/smaps_rollup") as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    print("pss_kb", total / count)
    for child in children:
        end(child)


if __name__ == "__main__":
    work, number = sys.argv[1], int(sys.argv[2])
    {"spawn": measure, "memory": memory}[work](multiprocessing.get_context("fork"), number)
