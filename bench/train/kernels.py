#!/usr/bin/env python3
"""Where the time of a training update goes: by kernel, beside what the machine could do.

Usage: kernels.py BENCH_TRAIN [--shape NAME] [--precision fp32|bf16|int16] [--steps N]
Needs perf (Debian: linux-perf). One thread, gpt2. Prints a Markdown table: each kernel's share of the samples; its floating-point
operations and the bytes that it has to move at least (each operand once), both by formula; what that is of the peak of matrix
products and of the bandwidth of a plain copy, both measured in the same run. The larger of the two is its place below the roofline.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time

import numpy

from compare import SHAPES

KERNELS = {  # name: symbols
    "packing of operands": r"\bpack_\w+|round_(?:row|across)",
    "matrix products": r"multiply_(?:any|tile)|Tiling|BlockedProducts",
    "softmax of attention": r"softmax_block|softmax_backward_block|exponentials|divide_rows|dot_rows",
    "cross-entropy": r"cross_entropy_|exp_sum|largest|scale_rows",
    "GELU": r"gelu_",
    "norms, residuals, biases": r"norm_|bias_",
    "embeddings": r"embedding_",
    "AdamW, gradient sums, clipping": r"[Aa]damw|ReduceGradients",
}


def costs(s: dict, precision: str) -> dict[str, tuple[float, float]]:
    """FLOPs and least bytes of one update, by kernel."""
    operand = 2 if precision == "bf16" else 4  # bytes of one; sums have 4
    layers, width, context, vocab = s["layers"], s["width"], s["context"], s["vocab"]
    tokens, hidden = s["sequences"] * context, 4 * width
    flops = bytes_ = 0.0
    for rows, inner, outer, times in [(tokens, width, 3 * width, layers), (tokens, width, width, layers),
                                      (tokens, width, hidden, layers), (tokens, hidden, width, layers),
                                      (tokens, width, vocab, 1)]:
        flops += times * 6.0 * rows * inner * outer
        bytes_ += times * (2 * operand + 4.0) * (rows * inner + inner * outer + rows * outer)  # twice read, once written
    scores = tokens * context / 2 * s["heads"] * layers  # of causal attention
    flops += 7 * 2 * scores * width / s["heads"]  # two products forward, five backward
    parameters = layers * 12 * width * width + (vocab + context) * width
    return {
        "matrix products": (flops, bytes_),
        "softmax of attention": (0, 4 * scores * (2 + 4)),
        "cross-entropy": (0, (4.0 + operand) * tokens * vocab),
        "GELU": (0, (8.0 + 4 * operand) * tokens * hidden * layers),
        "norms, residuals, biases": (0, 4.0 * tokens * width * (2 * layers + 1) * 8),
        "AdamW, gradient sums, clipping": (0, 4.0 * parameters * 8),
    }


def copy_bandwidth() -> float:
    """Bytes read and written a second, by the best of several copies of 256 MB in one thread."""
    source = numpy.ones(32 << 20)
    target = numpy.empty_like(source)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        numpy.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2 * source.nbytes / best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--shape", default="4x192", choices=[name for name in SHAPES if name != "llama"])
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    shape = SHAPES[options.shape]
    with tempfile.NamedTemporaryFile() as record:
        command = [options.bench, *(f"--{key}={value}" for key, value in shape.items()), "--threads=1",
                   f"--steps={options.steps}", f"--precision={options.precision}"]
        done = subprocess.run(["perf", "record", "-q", "-o", record.name, *command], check=True, stdout=subprocess.PIPE)
        text = subprocess.run(["perf", "report", "-i", record.name, "--stdio", "--no-children", "-F", "overhead,sym"],
                              check=True, capture_output=True, text=True).stdout
    result = json.loads(done.stdout.splitlines()[-1])
    shares = dict.fromkeys(KERNELS, 0.0)
    for share, symbol in re.findall(r"^ *([\d.]+)% +\[.\] (.*)$", text, re.MULTILINE):
        for name, pattern in KERNELS.items():
            if re.search(pattern, symbol):
                shares[name] += float(share)
                break
    known = sum(shares.values())  # the rest is start-up
    tokens = shape["sequences"] * shape["context"]
    seconds, peak, bandwidth = tokens / result["tokens_per_second"], result["gemm_peak_gflops"] * 1e9, copy_bandwidth()
    print(f"{options.shape}, {options.precision}: {result['tokens_per_second']} tokens/s, {result['gflops']:.0f} GFLOP/s; peak of "
          f"matrix products {peak / 1e9:.0f} GFLOP/s, of a copy {bandwidth / 1e9:.1f} GB/s; {known:.0f} % of the samples\n")
    print("| kernel | share | GFLOP | of the peak | least GB | of the bandwidth |\n|---|---:|---:|---:|---:|---:|")
    for name, (flops, bytes_) in {**dict.fromkeys(KERNELS, (0.0, 0.0)), **costs(shape, options.precision)}.items():
        spent = seconds * shares[name] / known
        print(f"| {name} | {shares[name] / known:.1%} | {flops / 1e9:.1f} | {flops / spent / peak:.0%} | {bytes_ / 1e9:.2f} | "
              f"{bytes_ / spent / bandwidth:.0%} |" if spent > 0 else f"| {name} | 0 | | | | |")


if __name__ == "__main__":
    main()
