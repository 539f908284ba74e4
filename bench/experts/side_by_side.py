#!/usr/bin/env python3
"""Updates per second of experts trained at once, one thread each, over those of one alone.

Usage: side_by_side.py BTM FOREST [EXPERTS [TOKENS [ROUNDS]]]
FOREST has tokens/ and seed/ (any grown forest). One alone and all at once are run in turn; prints each round's whole
wall times, and least, median and largest of the ratio.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def train(btm: str, forest: pathlib.Path, domains: list[str], tokens: str, folder: pathlib.Path) -> tuple[float, float]:
    """Trains one expert a domain, all at once. Wall seconds, and updates per second of all together by their own logs."""
    started = time.perf_counter()
    runs = [folder / domain for domain in domains]
    workers = [
        subprocess.Popen(
            [btm, "train", "--output", run, "--init", forest / "seed", "--tokens-from", forest / "tokens" / run.name,
             "--tokens", tokens, "--threads", "1", "--quiet", "--set", "training.batch_tokens=4096",
             "--set", "training.dev_every=1000000"]
        )
        for run in runs
    ]
    assert all(worker.wait() == 0 for worker in workers)
    seconds = time.perf_counter() - started
    speed = 0.0
    for run in runs:
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        speed += statistics.median(line["tokens_per_second"] for line in lines) / 4096
        shutil.rmtree(run)
    return seconds, speed


def main() -> None:
    btm, forest = sys.argv[1], pathlib.Path(sys.argv[2])
    count, tokens, rounds = [*map(str, sys.argv[3:]), *["2", "400k", "5"][len(sys.argv) - 3 :]]
    domains = sorted(path.parent.name for path in forest.glob("experts/*/expert.json"))[: int(count)]
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        for _ in range(int(rounds)):
            alone, one = train(btm, forest, domains[:1], tokens, pathlib.Path(name))
            together, all_of_them = train(btm, forest, domains, tokens, pathlib.Path(name))
            ratios.append(all_of_them / one)
            whole = len(domains) * alone / together
            print(f"alone {alone:.2f} s, {one:.2f} updates/s; {len(domains)} at once {together:.2f} s, "
                  f"{all_of_them:.2f} updates/s: {ratios[-1]:.3f} x (whole processes {whole:.3f} x)", flush=True)
    print(f"ratio: min {min(ratios):.3f}, median {statistics.median(ratios):.3f}, max {max(ratios):.3f}")


if __name__ == "__main__":
    main()
