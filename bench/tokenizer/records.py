"""The pipes to and from bench_tokenizer: a 32-bit size, then so many bytes or ids."""

import struct
from collections.abc import Iterator

import numpy as np


def pack(texts: list[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def unpack(data: bytes) -> Iterator[np.ndarray]:
    at = 0
    while at < len(data):
        (count,) = struct.unpack_from("<I", data, at)
        yield np.frombuffer(data, "<i4", count, at + 4)
        at += 4 + 4 * count
