#!/usr/bin/env python3
"""Averaging eight bfloat16 checkpoints of GPT-2's smallest shape by btm and by mergekit, in one run, in turn.

Usage: average.py BTM [MERGEKIT_YAML [ROUNDS]]
MERGEKIT_YAML is the program mergekit-yaml (pip install mergekit==0.1.4); without it btm is timed alone. Prints seconds,
the largest anonymous memory (sampled RssAnon), and what the bytes read and written make per second. One thread each.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

COUNT = 8


def make_checkpoints(folder: pathlib.Path) -> list[pathlib.Path]:
    import torch
    import transformers

    paths = []
    for i in range(COUNT):
        torch.manual_seed(i)
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).to(torch.bfloat16)
        model.save_pretrained(folder / f"model{i}")
        paths.append(folder / f"model{i}")
    return paths


def run(command: list, **environment: str) -> tuple[float, float]:
    """Seconds, and MB of anonymous memory at most."""
    start, most = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, **environment})
    while process.poll() is None:
        try:
            for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    most = max(most, int(line.split()[1]))
        except (FileNotFoundError, ProcessLookupError):
            pass
        time.sleep(0.01)
    assert process.returncode == 0, f"{command[0]} failed"
    return time.perf_counter() - start, most / 1e3


def main() -> None:
    btm, mergekit, rounds = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "", int(sys.argv[3]) if len(sys.argv) > 3 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        models = make_checkpoints(folder)
        size = sum(path.stat().st_size for path in models[0].glob("*.safetensors")) / 1e9
        config = folder / "linear.yaml"
        parts = "".join(f"  - {{model: {path}, parameters: {{weight: 1.0}}}}\n" for path in models)
        config.write_text(f"merge_method: linear\ndtype: bfloat16\nmodels:\n{parts}")
        ours, theirs = [], []
        for i in range(rounds + 1):  # the first fills the page cache and is not counted
            found = run(["taskset", "-c", "0", btm, "--quiet", "average", *models, "--output", folder / f"ours{i}"])
            ours += [found] if i else []
            if mergekit:
                found = run(["taskset", "-c", "0", mergekit, config, folder / f"theirs{i}", "--lazy-unpickle",
                             "--no-copy-tokenizer"], OMP_NUM_THREADS="1")
                theirs += [found] if i else []
        for label, rows in (("btm", ours), ("mergekit", theirs)):
            if rows:
                seconds = [row[0] for row in rows]
                print(f"{label:9} min {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s, "
                      f"anonymous memory {max(row[1] for row in rows):.0f} MB")
        median = statistics.median(row[0] for row in ours)
        print(f"{COUNT} x {size:.3f} GB read, {size:.3f} GB written: {(COUNT + 1) * size / median:.2f} GB/s")
        if theirs:
            print(f"mergekit / btm: time {statistics.median(row[0] for row in theirs) / median:.1f} x, "
                  f"memory {max(row[1] for row in theirs) / max(row[1] for row in ours):.1f} x")


if __name__ == "__main__":
    main()
