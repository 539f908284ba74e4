#!/usr/bin/env python3
"""Times encoding by btm and by `tokenizers` on the same texts, in one run, in turn.

Usage: compare.py BENCH_TOKENIZER TOKENIZER_FOLDER [ROUNDS] < texts, a text of a JSON line ({"text": ...}) each
Prints least and median seconds, MB/s, and how many times faster btm is, with 1 and 2 threads.
"""

import json
import os
import statistics
import subprocess
import sys
import time

from records import pack


def time_peer() -> None:
    """Child process, since RAYON_NUM_THREADS holds for a whole process: seconds per round, one a line."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(os.path.join(sys.argv[2], "tokenizer.json"))
    texts = json.load(sys.stdin)
    for _ in range(int(sys.argv[3])):
        start = time.perf_counter()
        tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        print(time.perf_counter() - start)


def seconds(command: list[str], data: bytes, **environment: str) -> list[float]:
    done = subprocess.run(
        command, input=data, check=True, stdout=subprocess.PIPE, env={**os.environ, **environment}
    )
    return [float(line) for line in done.stdout.split()]


def main() -> None:
    bench, folder = sys.argv[1:3]
    rounds = sys.argv[3] if len(sys.argv) > 3 else "5"
    texts = [json.loads(line)["text"] for line in sys.stdin]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts)} texts, {megabytes:.1f} MB, {rounds} rounds of each in turn")
    for threads in ("1", "2"):
        times: dict[str, list[float]] = {"btm": [], "tokenizers": []}
        for _ in range(int(rounds)):  # two rounds a process: the first fills the caches of words
            times["btm"] += seconds([bench, "time", folder, threads, "2"], pack(texts))
            times["tokenizers"] += seconds(
                [sys.executable, __file__, "--peer", folder, "2"],
                json.dumps(texts).encode(),
                RAYON_NUM_THREADS=threads,
                TOKENIZERS_PARALLELISM="true",
            )
        for name, values in times.items():
            least, median = min(values), statistics.median(values)
            speed = megabytes / median
            print(f"{threads} thread(s) {name:10} min {least:.3f} s, median {median:.3f} s, {speed:.1f} MB/s")
        least = min(times["tokenizers"]) / min(times["btm"])
        median = statistics.median(times["tokenizers"]) / statistics.median(times["btm"])
        print(f"{threads} thread(s) tokenizers / btm: {least:.2f} of the least, {median:.2f} of the medians")


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        time_peer()
    else:
        main()
