#!/usr/bin/env python3
"""How well experts fill the workers: the time that training itself took over all the time that the workers had.

Usage: idle.py BTM PLAN [--workers 2] [--rounds 3] [btm's other options, e.g. --set text_root=FOLDER]
Grows the plan's forest up to its first cycle, then that cycle, whose processes it watches; again for each round and, in
turn, for each of several numbers of workers (--workers 1,8). Prints the share of the ideal time (the experts' own times /
workers), where the workers were idle, and how much faster more of them are.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time


def watch(grow: subprocess.Popen) -> dict[str, tuple[float, float]]:
    """{expert: when its process was first and last seen} until grow ends."""
    seen: dict[str, tuple[float, float]] = {}
    while grow.poll() is None:
        now = time.time()
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if len(words) > 2 and words[1] == "train":
                name = pathlib.Path(words[2]).name
                seen[name] = (seen.get(name, (now, now))[0], now)
        time.sleep(0.01)
    assert grow.returncode == 0
    return seen


def one_round(command: list[str], forest: pathlib.Path, workers: int) -> tuple[float, float]:
    """The share of the ideal time, and the seconds of the cycle."""
    common = [*command, "--set", f"forest={forest}", "--set", f"launcher.workers={workers}", "--set", "launcher.threads=1",
              "--set", "compare=[]", "--set", "evaluate.mixtures=[]"]
    subprocess.run([*common, "--set", "cycles=[]"], check=True, capture_output=True)
    grow = subprocess.Popen(common, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen = watch(grow)
    own = {name: json.loads((forest / f"experts/{name}/expert.json").read_text())["device_seconds"] for name in seen}
    begin, end = min(first for first, _ in seen.values()), max(last for _, last in seen.values())
    share = sum(own.values()) / workers / (end - begin)
    print(f"{len(own)} experts, {sum(own.values()):.1f} s of their own on {workers} workers in {end - begin:.2f} s: {share:.1%}")
    free = [begin] * workers
    for name in sorted(seen, key=lambda name: seen[name]):
        first, last = seen[name]
        worker = max((w for w in range(workers) if free[w] <= first + 0.05), key=lambda w: free[w])
        print(f"    worker {worker}: {first - free[worker]:6.3f} s idle, {name} {last - first:.2f} s"
              f" (of which {last - first - own[name]:.2f} s start and end)")
        free[worker] = last
    print("    idle at the end: " + ", ".join(f"{end - at:.3f} s" for at in free), flush=True)
    return share, end - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("btm", type=os.path.abspath)
    parser.add_argument("plan")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--rounds", type=int, default=3)
    options, rest = parser.parse_known_args()
    counts = [int(count) for count in options.workers.split(",")]
    rounds = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as folder:
        forest = pathlib.Path(folder) / "forest"
        for _ in range(options.rounds):
            for count in counts:
                rounds[count].append(one_round([options.btm, "grow", options.plan, *rest], forest, count))
                shutil.rmtree(forest)
    medians = {}
    for count, results in rounds.items():
        shares, seconds = zip(*results)
        medians[count] = statistics.median(seconds)
        print(f"{count} workers: share of the ideal time min {min(shares):.1%}, median {statistics.median(shares):.1%};"
              f" the cycle in {medians[count]:.2f} s, {medians[counts[0]] / medians[count]:.2f} x")


if __name__ == "__main__":
    main()
