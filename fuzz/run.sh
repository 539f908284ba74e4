#!/usr/bin/env bash
# Fuzzes targets one after the other: run.sh BUILD RUNS [TARGET...]
# New inputs that reach new code go to BUILD/corpus/TARGET, those that fail to BUILD/found: run the target on such a file
# to see why, mend it, and keep the file in fuzz/corpus/TARGET.
set -euo pipefail
build=$1 runs=$2
shift 2
targets=("$@")
corpus=$(dirname "$0")/corpus
mkdir -p "$build/found"
(($#)) || mapfile -t targets < <(ls "$corpus")
for name in "${targets[@]}"; do
  mkdir -p "$build/corpus/$name"
  echo "fuzz: $name, $runs runs" >&2
  "$build/fuzz/fuzz_$name" -runs="$runs" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 \
    -print_final_stats=1 -artifact_prefix="$build/found/$name-" "$build/corpus/$name" "$corpus/$name"
done
