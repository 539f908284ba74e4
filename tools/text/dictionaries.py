"""Dictionaries: dictd, StarDict, WordNet."""

import base64
import gzip
import re
import struct

from markup import without_tags
from pieces import packed


def dictd(matches):
    """A dictd dictionary: the index has a word, an offset and a length a line, numbers in base 64."""
    for name, path in matches:
        text = gzip.decompress(path.with_suffix(".dict.dz").read_bytes())
        places = set()
        for line in path.read_text("utf-8").splitlines():
            word, offset, length = line.split("\t")[:3]
            if not word.startswith(("00-database", "00database")):
                places.add((base64_number(offset), base64_number(length)))
        entries = (text[at : at + size].decode("utf-8", errors="replace").strip() for at, size in sorted(places))
        yield from packed(name, entries, "\n\n")


def base64_number(digits):
    padded = digits.rjust(-(-len(digits) // 4) * 4, "A")  # A is 0
    return int.from_bytes(base64.b64decode(padded), "big")


def stardict(matches):
    """A StarDict dictionary: its index (.idx) has words, each ended by a zero byte, offset and length in 4 bytes each."""
    for name, path in matches:
        text = gzip.decompress(path.with_suffix(".dict.dz").read_bytes())
        words = {}  # of each place the first: one entry may be there under several spellings
        for word, place in re.findall(rb"([^\0]+)\0(.{8})", path.read_bytes(), flags=re.DOTALL):
            words.setdefault(struct.unpack(">II", place), word.decode("utf-8"))
        entries = (word + "\n" + without_tags(text[at : at + size].decode("utf-8", errors="replace"))
                   for (at, size), word in sorted(words.items()))  # fmt: skip
        yield from packed(name, entries, "\n\n")


def wordnet(matches):
    """WordNet's data.noun, .verb, .adj, .adv, as lines of: words (noun): gloss."""
    for name, path in matches:
        yield from packed(name, (gloss(line, path.suffix[1:]) for line in path.read_text("utf-8").splitlines()), "\n\n")


def gloss(line, part_of_speech):
    """Of a line: place, file, part, how many words (hexadecimal), word and number by turns, relations, |, gloss (wndb(5WN))."""
    if line.startswith(" "):
        return ""  # the licence, at the top
    fields, _, text = line.partition(" | ")
    fields = fields.split()
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    return f"{', '.join(words).replace('_', ' ')} ({part_of_speech}): {text.strip()}"
