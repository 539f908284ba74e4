#!/usr/bin/env bash
# The benchmarks of docs/benchmarks.md that need nothing but the demo: run.sh BUILD FOREST TEXT, python in $PYTHON.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 forest=$2 text=$3 python=${PYTHON:-python3}

say() { printf '\n== %s\n' "$*"; }

say "training against PyTorch, one round"
"$python" "$here/train/compare.py" "$build/bench/train/bench_train" --shapes 4x192,6x384 --rounds 1

say "experts side by side against one alone"
"$python" "$here/experts/side_by_side.py" "$build/btm" "$forest"

say "encoding against tokenizers"
gzip -dc "$text/python.jsonl.gz" | "$python" "$here/tokenizer/compare.py" "$build/bench/tokenizer/bench_tokenizer" "$forest/tokenizer"

say "generation against transformers"
"$python" "$here/mixture/generate.py" "$build/btm" "$text"

say "averaging eight checkpoints (alone; beside mergekit: bench/average/average.py)"
"$python" "$here/average/average.py" "$build/btm"
