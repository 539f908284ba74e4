#!/usr/bin/env python3
"""Take clean text out of unpacked packages: extract.py FOLDER MILLIONS OUT.jsonl.gz KIND PATTERN...

FOLDER holds one folder per package. Writes JSON lines {"id", "text"}, at most MILLIONS million characters, in an
order that looks random and is always the same. Patterns match paths inside a package; -PATTERN leaves paths out.
Needs nothing but Python's own library.
"""

import base64
import fnmatch
import gzip
import hashlib
import html
import html.parser
import json
import pathlib
import re
import struct
import sys
import zlib

PIECE = 20_000  # characters: longer documents are cut at a line end
PACK = 8_000  # characters: short entries of dictionaries and verses are put together up to this
SHORTEST = 200  # characters: less is no document


# ---- kinds: each takes the files that match, as (id, path), and gives (id, text) ----


def files(matches):
    """A file is a document."""
    for name, path in matches:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        try:
            yield name, without_licence(data.decode("utf-8"))
        except UnicodeDecodeError:
            continue


def man(matches):
    """A manual page in roff, from its title on, without its comments (licences, history, macros of its generator)."""
    for name, text in files(matches):
        title = re.search(r"^\.(TH|Dd)\b", text, flags=re.MULTILINE)
        if title:
            lines = text[title.start() :].splitlines(keepends=True)
            yield name, "".join(line for line in lines if not line.startswith((".\\\"", "'\\\"")))


def html_pages(matches):
    """A page is a document; its tags, scripts and navigation go."""
    for name, path in matches:
        page = PageText()
        page.feed(path.read_text("utf-8", errors="replace"))
        lines = (" ".join(line.split()) for line in "".join(page.parts).splitlines())
        yield name, "\n".join(line for line in lines if line)


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


def sword(matches):
    """A SWORD module: compressed blocks (.?zz), where they are (.?zs), and the verses in them (.?zv)."""
    for name, path in matches:
        if not path.name.endswith("zs"):
            continue
        stem = str(path)[:-1]
        compressed = pathlib.Path(stem + "z").read_bytes()
        blocks = [zlib.decompress(compressed[at : at + size])
                  for at, size, _ in struct.iter_unpack("<III", path.read_bytes())]  # fmt: skip
        yield from packed(name, map(without_tags, verses(blocks, pathlib.Path(stem + "v").read_bytes())), "\n")


KINDS = {"files": files, "man": man, "html": html_pages, "dictd": dictd, "sword": sword}


# ---- their parts ----


class PageText(html.parser.HTMLParser):
    LEFT_OUT = {"head", "header", "footer", "nav", "aside", "script", "style", "noscript", "button"}
    LINES = {"p", "div", "br", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "dt", "dd", "title"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self.depth = 0  # inside how many elements that are left out

    def handle_starttag(self, tag, attributes):
        self.depth += tag in self.LEFT_OUT
        if tag in self.LINES:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        self.depth -= tag in self.LEFT_OUT and self.depth > 0
        if tag in self.LINES:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.depth:
            # A line end inside a paragraph is only a space.
            self.parts.append(data.replace("\n", " "))


def base64_number(digits):
    padded = digits.rjust(-(-len(digits) // 4) * 4, "A")  # A is 0
    return int.from_bytes(base64.b64decode(padded), "big")


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


def without_tags(text):
    text = re.sub(r"<note\b[^>]*>.*?</note>", "", text, flags=re.DOTALL)
    text = re.sub(r"<(title|milestone|lb|/p|/lg|/l|chapter)\b[^>]*>", "\n", text)
    text = html.unescape(re.sub(r"<[^>]*>", "", text)).replace("¶", "")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def packed(name, entries, between):
    """Entries in a row, put together into documents."""
    number, pack, size = 0, [], 0
    for entry in entries:
        if size + len(entry) > PACK and pack:
            yield f"{name}@{number}", between.join(pack)
            number, pack, size = number + 1, [], 0
        if entry:
            pack.append(entry)
            size += len(entry)
    if pack:
        yield f"{name}@{number}", between.join(pack)


COMMENT = re.compile(r"""\s*(\#|;|//|/\*|\*|%|--|\.\\"|'\\")""")
BARE = re.compile(r"""[\s#;/*%.\\"'-]*$""")
LEGAL = re.compile(r"copyright|\(c\)|licen[cs]e|warranty|free software|redistribut|SPDX", re.IGNORECASE)


def without_licence(text):
    """Cut the legal paragraphs out of the comment that opens a source file: else every domain is about licences."""
    lines = text.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if line.strip() and not COMMENT.match(line)), len(lines))
    legal = [i for i in range(end) if LEGAL.search(lines[i])]
    if not legal:
        return text
    first, last = legal[0], legal[-1]
    while first > 0 and not BARE.match(lines[first - 1]):
        first -= 1
    while last + 1 < end and not BARE.match(lines[last]):
        last += 1
    return "".join(lines[:first] + lines[last + 1 :]).lstrip("\n")


def cut(name, text):
    """Pieces of at most PIECE characters that end at a line's end, or at least at a word's."""
    if len(text) <= PIECE:
        yield name, text
        return
    at, number = 0, 0
    while at < len(text):
        end = at + PIECE
        if end < len(text):
            end = text.rfind("\n", at, end) + 1 or text.rfind(" ", at, end) + 1 or end
        yield f"{name}#{number}", text[at:end]
        at, number = end, number + 1


def matching(folder, patterns):
    wanted = [pattern for pattern in patterns if not pattern.startswith("-")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("-")]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        inside = name.partition("/")[2]  # without the package's folder
        if path.is_symlink() or not path.is_file():
            continue
        if any(fnmatch.fnmatchcase(inside, p) for p in wanted) and not any(fnmatch.fnmatchcase(inside, p) for p in unwanted):
            yield name, path


def documents(folder, kind, patterns):
    seen = set()
    for name, text in KINDS[kind](matching(folder, patterns)):
        for piece, part in cut(name, text):
            digest = hashlib.sha256(part.encode()).digest()
            if len(part.strip()) >= SHORTEST and digest not in seen:
                seen.add(digest)
                yield piece, part


def main(folder, millions, out, kind, *patterns):
    found = sorted(documents(pathlib.Path(folder), kind, patterns), key=lambda d: hashlib.sha256(d[0].encode()).digest())
    room = int(float(millions) * 1e6)
    taken = 0
    # No name and no time in the gzip header: the same text gives the same bytes.
    with open(out, "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as lines:
        for name, text in found:
            if taken + len(text) > room:
                break
            lines.write(json.dumps({"id": name, "text": text}, ensure_ascii=False).encode() + b"\n")
            taken += len(text)
    if taken == 0:
        sys.exit(f"no text found under {folder} by the rule: {kind} {' '.join(patterns)}")
    print(f"{taken / 1e6:.1f} million characters")


if __name__ == "__main__":
    if len(sys.argv) < 6 or sys.argv[4] not in KINDS:
        sys.exit(f"usage: extract.py FOLDER MILLIONS OUT.jsonl.gz {{{','.join(KINDS)}}} PATTERN...")
    main(*sys.argv[1:])
