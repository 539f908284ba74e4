#!/usr/bin/env python3
"""Encodes every document of a folder with btm and with `tokenizers`, and compares all ids.

Usage: corpus_check.py BENCH_TOKENIZER CORPUS_FOLDER CASES_FOLDER NAME...
CORPUS_FOLDER has *.jsonl.zst with a "text" per line, CASES_FOLDER/NAME/tokenizer.json are the tokenizers.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from records import pack, unpack

PORTION = 2000  # documents at once, for memory


def documents(path: Path) -> list[str]:
    lines = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout.decode().split("\n")
    return [json.loads(line)["text"] for line in lines if line]


def differing(bench: str, folder: Path, texts: list[str]) -> tuple[int, int]:
    """Number of texts whose ids differ, and of ids."""
    ours = subprocess.run(
        [bench, "ids", folder, "2"], input=pack(texts), check=True, stdout=subprocess.PIPE
    ).stdout
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    bad = count = 0
    mine = unpack(ours)
    for start in range(0, len(texts), PORTION):
        for theirs in tokenizer.encode_batch_fast(texts[start : start + PORTION], add_special_tokens=False):
            count += len(theirs.ids)
            bad += not np.array_equal(next(mine), np.array(theirs.ids, dtype="<i4"))
    assert next(mine, None) is None
    return bad, count


def main() -> int:
    bench, corpus, cases, names = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    failed = False
    for path in sorted(corpus.glob("*.jsonl.zst")):
        texts = documents(path)
        for name in names:
            bad, count = differing(bench, cases / name, texts)
            failed |= bad > 0
            print(f"{path.name:30} {name:10} {len(texts):7} texts {count:9} ids, {bad} texts differ", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
