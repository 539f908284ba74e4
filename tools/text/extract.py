#!/usr/bin/env python3
"""Take clean text out of unpacked packages: extract.py FOLDER MILLIONS OUT.jsonl.gz RULE...

FOLDER holds one folder per package. Writes JSON lines {"id", "text"}, at most MILLIONS million characters, in an
order that looks random and is always the same, without duplicates. What a rule is, rule.py says; this needs nothing but
Python's own library.
"""

import gzip
import hashlib
import json
import pathlib
import sys

import rule
from pieces import cut

SHORTEST = 200  # characters: less is no document


def documents(texts):
    seen = set()
    for name, text in texts:
        for piece, part in cut(name, text):
            digest = hashlib.sha256(part.encode()).digest()
            if len(part.strip()) >= SHORTEST and digest not in seen:
                seen.add(digest)
                yield piece, part


def main(folder, millions, out, *words):
    found = documents(rule.parsed(words).texts(pathlib.Path(folder)))
    room = int(float(millions) * 1e6)
    taken = 0
    # No name and no time in the gzip header: the same text gives the same bytes.
    with open(out, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as lines:
        for name, text in sorted(found, key=lambda d: hashlib.sha256(d[0].encode()).digest()):
            if taken + len(text) > room:
                break
            lines.write(json.dumps({"id": name, "text": text}, ensure_ascii=False).encode() + b"\n")
            taken += len(text)
    if taken == 0:
        sys.exit(f"no text found under {folder} by the rule: {' '.join(words)}")
    print(f"{taken / 1e6:.1f} million characters")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit("usage: extract.py FOLDER MILLIONS OUT.jsonl.gz KIND PATTERN...")
    try:
        main(*sys.argv[1:])
    except ValueError as problem:
        sys.exit(str(problem))
