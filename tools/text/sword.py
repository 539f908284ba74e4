"""SWORD modules: Bibles and commentaries."""

import pathlib
import struct
import zlib

from markup import without_tags
from pieces import packed


def sword(matches):
    """A module is compressed blocks (.?zz), where they are (.?zs), and the verses in them (.?zv)."""
    for name, path in matches:
        if not path.name.endswith("zs"):
            continue
        stem = str(path)[:-1]
        compressed = pathlib.Path(stem + "z").read_bytes()
        blocks = [zlib.decompress(compressed[at : at + size])
                  for at, size, _ in struct.iter_unpack("<III", path.read_bytes())]  # fmt: skip
        yield from packed(name, map(without_tags, verses(blocks, pathlib.Path(stem + "v").read_bytes())), "\n")


def verses(blocks, index):
    """The verses by the index, whose entries are (block, offset, size); size has 2 bytes in older modules, 4 in newer."""
    for entry in ("<IIH", "<III"):
        if len(index) % struct.calcsize(entry):
            continue
        places = list(struct.iter_unpack(entry, index))
        if all(size == 0 or (block < len(blocks) and at + size <= len(blocks[block])) for block, at, size in places):
            break
    else:
        raise ValueError("neither form of a SWORD index fits")
    # A commentary on several verses stands once in the text and several times in the index.
    for block, at, size in dict.fromkeys(place for place in places if place[2]):
        yield blocks[block][at : at + size].decode("utf-8", errors="replace")
