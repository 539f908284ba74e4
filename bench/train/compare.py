#!/usr/bin/env python3
"""Training by btm and by PyTorch (eager and torch.compile), in one run, in turn.

Usage: compare.py BENCH_TRAIN [--rounds N] [--steps N] [--threads 1,2] [--shapes NAME,...] [--precision fp32,bf16,int16]
                                [--device cpu|cuda]
int16 has no peer of its own: it is for beside fp32.
Prints, for each shape and number of threads, tokens per second (median over the rounds of each round's median, and the
range), the ratio to the best of the peers, model FLOP/s as a share of the GEMM peak that was measured beside, and memory.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

SHAPES = {  # layers, width, heads, context, vocabulary, sequences
    "4x192": dict(layers=4, width=192, heads=6, context=256, vocab=8192, sequences=32),
    "6x384": dict(layers=6, width=384, heads=6, context=512, vocab=8192, sequences=8),
    "12x768": dict(layers=12, width=768, heads=12, context=1024, vocab=32000, sequences=2),
    "smollm2": {"architecture": "llama", "layers": 30, "width": 576, "heads": 9, "kv-heads": 3, "hidden": 1536,
                "context": 512, "vocab": 49152, "sequences": 4},  # 135M parameters and a head of its own
    "12x768/1": dict(layers=12, width=768, heads=12, context=1024, vocab=32000, sequences=1),  # fewer than threads
    "6x384/3": dict(layers=6, width=384, heads=6, context=512, vocab=8192, sequences=3),  # not the same for each
    "124M": dict(layers=12, width=768, heads=12, context=1024, vocab=50304, sequences=32),  # for GPUs
    "llama": dict(architecture="llama", layers=6, width=384, heads=6, hidden=1024, context=512, vocab=8192, sequences=8),
}


def call(command: list[str], threads: int) -> dict:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--shapes", default="4x192,6x384,12x768,llama")
    parser.add_argument("--precision", default="fp32,bf16")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    if options.precision == "int16":
        parser.error("PyTorch has no int16 to compare with; give --precision fp32,int16")
    if options.device == "cuda" and options.precision != "bf16":
        parser.error("on a GPU btm trains with --precision bf16")
    cache = tempfile.TemporaryDirectory()  # a new one: what torch.compile made under other limits of the CPU may crash
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache.name
    peer = [sys.executable, str(pathlib.Path(__file__).with_name("torch_peer.py"))]
    for shape in options.shapes.split(","):
        for threads in map(int, options.threads.split(",")):
            common = [f"--{key}={value}" for key, value in SHAPES[shape].items()]
            common += [f"--threads={threads}", f"--steps={options.steps}", f"--device={options.device}"]
            commands = {}
            for precision in options.precision.split(","):
                commands[f"btm {precision}"] = [options.bench, *common, f"--precision={precision}"]
                if precision == "int16":
                    continue
                commands[f"eager {precision}"] = [*peer, *common, f"--precision={precision}"]
                commands[f"compile {precision}"] = [*peer, *common, f"--precision={precision}", "--compile"]
            results = {name: [] for name in commands}
            for _ in range(options.rounds):
                for name, command in commands.items():
                    results[name].append(call(command, threads))
            report(shape, threads, results)


def report(shape: str, threads: int, results: dict[str, list[dict]]) -> None:
    speeds = {name: [result["tokens_per_second"] for result in found] for name, found in results.items()}
    peers = [name for name in speeds if not name.startswith("btm")]
    best_peer = max(peers, key=lambda name: statistics.median(speeds[name]))
    for name in (name for name in speeds if name not in peers):
        ratios = [ours / theirs for ours, theirs in zip(speeds[name], speeds[best_peer])]
        share = statistics.median(result["gflops"] / result["gemm_peak_gflops"] for result in results[name])
        print(f"{shape}, {threads} thread{'s' * (threads > 1)}, {name}: {statistics.median(ratios):.2f} x {best_peer} "
              f"({min(ratios):.2f} to {max(ratios):.2f}), {statistics.median(r['gflops'] for r in results[name]):.0f} "
              f"GFLOP/s, {share:.0%} of the GEMM peak")
    for name, found in results.items():
        memory = max(result["peak_memory_bytes"] for result in found) / 1e6
        print(f"    {name:12} {statistics.median(speeds[name]):9.0f} tokens/s ({min(speeds[name])} to "
              f"{max(speeds[name])}), {memory:.0f} MB")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
