"""Reference values for the readers and the token store, made by Python's own codecs, json, gzip and numpy."""

import gzip
import hashlib
import json
import pathlib
import random
import struct

import numpy


def utf8_cases(rng):
    """Bytes, and what decode(errors="replace") makes of them."""
    fixed = [b"", b"plain", "äöü€😀".encode(), b"\xe2\x82", b"\xf0\x9f\x98", b"\xf0\x9f\x98x", b"\xc0\xaf", b"\xed\xa0\x80",
             b"\xf4\x90\x80\x80", b"\xe0\x80\xaf", b"\xf8\x88\x80\x80\x80", b"\x80\x80", b"a\xffb", b"\xe2\x82\xe2\x82\xac",
             b"12345678\xff12345678", b"\xc3", b"\xf1\x80\x80", b"\xf1\x80\xc3\xa4"]
    lead = [0x20, 0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF, 0x9F, 0xA0, 0x8F, 0x90]
    for _ in range(2000):
        fixed.append(bytes(rng.choice(lead) for _ in range(rng.randrange(1, 12))))
    return [{"bytes": raw.hex(), "text": raw.decode("utf-8", "replace").encode().hex()} for raw in fixed]


def json_cases(rng):
    """Lines of JSON, and the text in them, with lone surrogates replaced."""
    texts = ["", "plain", "tab\t \"quote\" back\\slash /", "\u0000\u001f\u007f", "äöü€😀", "\\ud800", "\\\\ud83d", "a\ud800b",
             "\udc00", "\ud83d\ude00", "\ud83d\ud83d\ude00", "\ude00\ud83d"]
    alphabet = ["\\", "u", "d", "8", "\ud83d", "\ude00", "x", '"', "\n", "é"]
    texts += ["".join(rng.choice(alphabet) for _ in range(rng.randrange(8))) for _ in range(300)]
    cases = []
    for i, text in enumerate(texts):
        line = json.dumps({"id": i, "meta": {"text": "no", "list": [1, {"text": "no"}]}, "text": text, "score": 0.5})
        # What was read back, since neighbouring halves become one character in json.loads.
        read = json.loads(line)["text"]
        cases.append({"line": line, "text": without_halves(read)})
    return cases


def without_halves(text):
    return "".join("\ufffd" if "\ud800" <= c < "\ue000" else c for c in text)


def mutated_json_cases(rng):
    """Lines with an edit or two, and the text in them; None where Python finds no object with such a text."""
    whole = ['{"id": 17, "text": "a\\n\\u00e4\\"b", "n": -1.5e+3, "l": [true, false, null, {}, [0, 0.1]]}',
             '{"loss": NaN, "n": [-Infinity, Infinity], "text": "t"}', '{"text": null}', '  { "a" : { "text" : "no" } , "text" : "yes" }  ', '{"text": "a", "text": "b"}', '[]', '"text"']
    cases = []
    for _ in range(5000):
        line = list(rng.choice(whole))
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(line))
            line[at : at + rng.randrange(2)] = rng.choice(['', '"', "\\", ",", ":", "{", "}", "[", "]", "0", "1", "-", ".", "e", " ",
                                                           "\t", "\x01", "u", "t"])
        line = "".join(line)
        try:
            record = json.loads(line)
            text = record["text"] if isinstance(record, dict) else None
            text = "" if isinstance(record, dict) and "text" in record and text is None else text
        except (ValueError, KeyError):
            text = None
        cases.append({"line": line, "text": without_halves(text) if isinstance(text, str) else None})
    return cases


def split_of(text):
    percent = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) * 100 >> 32
    return "dev" if percent < 2 else "test" if percent < 4 else "train"


def write_store(prefix, dtype_code, documents):
    """Documents are lists of sequences, as in Megatron-LM's files; bytes after the description of the format."""
    dtype = {4: numpy.int32, 8: numpy.uint16}[dtype_code]
    sequences = [sequence for document in documents for sequence in document]
    lengths = [len(sequence) for sequence in sequences]
    pointers = [sum(lengths[:i]) * dtype().itemsize for i in range(len(lengths))]
    bounds = [0]
    for document in documents:
        bounds.append(bounds[-1] + len(document))
    with open(f"{prefix}.bin", "wb") as file:
        for sequence in sequences:
            file.write(numpy.array(sequence, dtype=dtype).tobytes())
    with open(f"{prefix}.idx", "wb") as file:
        file.write(b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, dtype_code, len(sequences), len(bounds)))
        file.write(numpy.array(lengths, numpy.int32).tobytes())
        file.write(numpy.array(pointers, numpy.int64).tobytes())
        file.write(numpy.array(bounds, numpy.int64).tobytes())


def main(folder):
    rng = random.Random(1)
    cases = {"utf8": utf8_cases(rng), "json_lines": json_cases(rng), "mutated_lines": mutated_json_cases(rng)}
    texts = [f"document {i}" for i in range(1000)]
    cases["documents"] = [{"text": t, "sha256": hashlib.sha256(t.encode()).hexdigest(), "split": split_of(t)} for t in texts]
    digests = sorted(hashlib.sha256(t.encode()).digest() for t in texts)
    cases["text_sha256"] = hashlib.sha256(b"".join(digests)).hexdigest()
    narrow = [[[1, 2, 3]], [[4], [5, 65535]], [], [[], [7, 8]]]
    wide = [[[1, 70000, 3]], [[2**31 - 1]]]
    write_store(folder / "narrow", 8, narrow)
    write_store(folder / "wide", 4, wide)
    cases["narrow"] = [sum(document, []) for document in narrow]
    cases["wide"] = [sum(document, []) for document in wide]
    members = ["first member\n", "second member\n" * 20000, "last"]
    (folder / "members.txt.gz").write_bytes(b"".join(gzip.compress(m.encode()) for m in members) + b"\0" * 100)
    (folder / "members.txt").write_text("".join(members))
    (folder / "cases.json").write_text(json.dumps(cases))
