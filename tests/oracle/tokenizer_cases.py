"""Texts and the ids that Hugging Face `tokenizers` gives for them.

FOLDER/NAME/ for each kind of tokenizer: tokenizer.json; texts.bin and ids.bin (per text a 32-bit size, then the bytes
or ids); unicode.txt, the SHA-256 of the ids for each block of 256 scalar values as block_text() writes it; alone.txt,
the same for each scalar value, but those of empty planes, as a text of its own. FOLDER/train/: samples and what BpeTrainer makes of them.
"""

import hashlib
import json
import random
import struct
import sysconfig
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
# GPT-4o's, which has no scanner of its own and so shows the general way through PCRE2.
O200K = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
PIECES = (
    ["'s", "'S", "'re", "'LL", "'ve", "'\u017f", "'\u017ft", "\u2019s", "don't", "I'VE", "'", "''", "'l", "'r"]
    + [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n\n", " \n ", "\u00a0", "\u2003", "\u3000", "\u0085"]
    + ["\u180e", "\u200b", "e\u0301", "\u0301", "a\u0323\u0307", "\u1100\u1161\u11a8", "\uac00", "\u0b47\u0b3e"]
    + ["\u0344", "\u2126", "\u212b", "\u0898\u0301", "\U00011935\U00011930", "\U000105d2\u0307", "\u1ac1\u0327"]
    + ["\u0f71\u0f72", "\u30ab\u3099", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea"]
    + ["\U0001f44d\U0001f3fd", "\u2764\ufe0f", "1", "12", "1234", "\u00bd", "\u0663\u0664", "\u2167", "\u4e00"]
    + ["\U0001e950", "<|endoftext|>", "<|x|>", "<|", "[MASK]", "...", "--", "//", "#!", "_", "\x00", "\x7f", "\ufffd"]
    + ["\ufeff", "\ue000", "\U0010ffff", "\uffff", "word", "Wort", "\u0441\u043b\u043e\u0432\u043e"]
    + ["\u03bb\u03cc\u03b3\u03bf\u03c2", "\u05de\u05d9\u05dc\u05d4", "\u0643\u0644\u0645\u0629"]
    + ["\u0936\u092c\u094d\u0926", "\u0e04\u0e33", "\u6587\u5b57", "\u3072\u3089\u304c\u306a", "\u01c5", "\u02b0"]
)
# The bytes in the order of the characters that stand for them in byte-level vocabularies.
PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTES = PRINTABLE + [byte for byte in range(256) if byte not in PRINTABLE]
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def is_empty(value: int) -> bool:
    """The planes without characters: 0.9 million scalar values."""
    return 0x32000 <= value < 0xE0000 or value >= 0xE1000


def is_bulk(value: int) -> bool:
    """Those planes and the ideographs, 0.1 million, where a shorter text has to do."""
    return 0x3400 <= value < 0xA000 or 0x17000 <= value < 0x18D00 or 0x20000 <= value < 0x32000 or is_empty(value)


def block_text(first: int) -> str:
    """256 scalar values, each after and before a letter, a number and a space, and before a combining mark."""
    values = [chr(c) for c in range(first, first + 256) if not 0xD800 <= c < 0xE000]
    if is_bulk(first):  # a value of another kind than its neighbours cuts the run
        return f"a{''.join(values)}1{''.join(values)}"
    return "".join(f"a{c}1{c} {c}'{c}\u0327 " for c in values)


def real_texts(megabytes: float, stride: int = 1) -> list[str]:
    """Sources of the Python library, in the order of their names."""
    texts, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[::stride]:
        texts.append(path.read_text(encoding="utf-8"))
        size += len(texts[-1])
        if size > megabytes * 1e6:
            break
    return texts


def random_texts(count: int) -> list[str]:
    draw = random.Random(1)
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(draw.randint(1, 40)):
            kind = draw.random()
            if kind < 0.6:
                parts.append(draw.choice(PIECES))
            elif kind < 0.8:
                parts.append(chr(draw.choice(SCALARS[:0x3000])))
            elif kind < 0.9:
                parts.append(chr(draw.choice(SCALARS)))
            else:
                parts.append(draw.choice(PIECES) * draw.randint(2, 30))
        texts.append("".join(parts))
    return texts


def long_texts() -> list[str]:
    draw = random.Random(2)
    letters = "".join(draw.choice("etaoin") for _ in range(200_000))
    return ["a" * 200_000, letters, " " * 100_000 + "x", "\n" * 50_000, "=" * 99_999, "\u6587\u5b57" * 30_000, ""]


def trained(tokenizer: Tokenizer, texts: list[str], vocab_size: int) -> Tokenizer:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    )
    return tokenizer


def show_cuts(tokenizer: Tokenizer) -> Tokenizer:
    """Merges the last byte of any character with the first of any other, so that cuts between words show in the ids."""
    root = json.loads(tokenizer.to_str())
    vocab, merges = root["model"]["vocab"], root["model"]["merges"]
    of_byte = dict(zip(BYTES, sorted(pre_tokenizers.ByteLevel.alphabet())))
    ends, starts = range(0xC0), [*range(0x80), *range(0xC2, 0xF5)]
    for first in ends:
        for second in starts:
            pair = of_byte[first] + of_byte[second]
            if pair not in vocab:
                vocab[pair] = len(vocab)
                merges.append([of_byte[first], of_byte[second]])
    return Tokenizer.from_str(json.dumps(root))


def byte_level(**options) -> pre_tokenizers.ByteLevel:
    return pre_tokenizers.ByteLevel(**{"add_prefix_space": False, "use_regex": False, **options})


def split(pattern, behavior="isolated", **options) -> pre_tokenizers.Split:
    return pre_tokenizers.Split(pattern, behavior, **options)


def tokenizer_of(words, normalizer=None, **model) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**model))
    steps = words if isinstance(words, list) else [words]
    tokenizer.pre_tokenizer = steps[0] if len(steps) == 1 else pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    return tokenizer


def added_tokens() -> list[AddedToken]:
    return [
        AddedToken("<|x|>", special=True, normalized=False),
        AddedToken("<|x|><|x|>", special=True, normalized=False),
        AddedToken("[MASK]", special=True, normalized=False, lstrip=True),
        AddedToken("<|endoftext|>", special=True, normalized=False, lstrip=True, rstrip=True),
        AddedToken("word", special=False, normalized=True, single_word=True),
        AddedToken("caf\u0065\u0301", special=False, normalized=True),
        AddedToken("\u212b", special=False, normalized=True, rstrip=True),
        AddedToken("  ", special=False, normalized=False),
        AddedToken("''", special=False, normalized=False, single_word=True),
        AddedToken("\t", special=False, normalized=False, lstrip=True, rstrip=True),
    ]


def added_texts() -> list[str]:
    draw = random.Random(3)
    pieces = ["<|", "|>", " ", "\n ", "\u00a0", "words", "a", "_", "caf\u00e9", "\u00c5", "9", "-", "\U000105d2"]
    pieces += [token.content for token in added_tokens()] * 2
    beside = ["\u0301", "\u200d", "\u24b6", "\u2167", "\u00bd", "\u203f", "\U0001f130", "\u0bbe", "\u0600"]
    texts = ["".join(draw.choice(pieces + beside) for _ in range(draw.randint(1, 30))) for _ in range(3000)]
    around = [f"-{chr(c)}word-word{chr(c)}-[MASK]{chr(c)}" for c in SCALARS if not is_bulk(c) or c % 256 == 0]
    return texts + ["".join(around[i : i + 64]) for i in range(0, len(around), 64)]


def legacy(text: str) -> str:
    """The older form of the file: merges as strings, and empty strings for what is off."""
    root = json.loads(text)
    root["model"]["merges"] = [" ".join(pair) for pair in root["model"]["merges"]]
    root["model"]["continuing_subword_prefix"] = root["model"]["end_of_word_suffix"] = ""
    return json.dumps(root)


def make_tokenizers(texts: list[str]) -> dict[str, Tokenizer]:
    kinds = {
        "gpt2": tokenizer_of(byte_level(use_regex=True)),
        "llama3": tokenizer_of([split(Regex(LLAMA3)), byte_level()]),
        "qwen2": tokenizer_of([split(Regex(QWEN2)), byte_level()], normalizers.NFC()),
        "o200k": tokenizer_of([split(Regex(O200K)), byte_level()]),
    }
    tokenizers = {name: show_cuts(trained(kind, texts, 2000)) for name, kind in kinds.items()}
    model = json.loads(tokenizers["llama3"].to_str())["model"]
    vocab, merges = model["vocab"], [tuple(pair) for pair in model["merges"]]
    vocab = dict(vocab, **{"\u0120xyzzy": len(vocab), "zyzzyva": len(vocab) + 1})  # words that no merge makes
    same = {"vocab": vocab, "merges": merges}
    digits = [pre_tokenizers.Digits(individual_digits=True), byte_level(add_prefix_space=True, use_regex=True)]
    runs = [pre_tokenizers.Digits(), split(" ", "merged_with_next"), byte_level(add_prefix_space=True)]
    tokenizers |= {
        "whole": tokenizer_of([split(Regex(LLAMA3)), byte_level()], ignore_merges=True, **same),
        "digits": tokenizer_of(digits, **same),
        "runs": tokenizer_of(runs, normalizers.Sequence([normalizers.NFC()]), **same),
        "removed": tokenizer_of([split(Regex(r"\s+"), "removed"), byte_level(use_regex=True)], **same),
        "kept": tokenizer_of([split(Regex(r"\w+|[^\w\s]"), "removed", invert=True), byte_level()], **same),
        "classes": tokenizer_of([split(Regex(r"[^\w\s]+|[^\W\d]+|[.,!?.]+|[\p{Cn}:;,:=]"), "isolated"), byte_level()], **same),
        "before": tokenizer_of([split(Regex(r"[.,'\n]"), "merged_with_previous"), byte_level()], **same),
        "runs_of": tokenizer_of([split(Regex(r"\d|\P{L}(?=\p{Lu})"), "contiguous"), byte_level()], **same),
        "empty": tokenizer_of([split(Regex(r"(?<=[\p{P}\S])(?=\p{Lu})|\d*"), "isolated"), byte_level()], **same),
        "added": tokenizer_of(byte_level(use_regex=True), normalizers.NFC(), **same),
    }
    tokenizers["added"].add_tokens(added_tokens())
    tokenizers["llama3"].add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    return tokenizers


def write_records(path: Path, records: list[bytes], unit: int) -> None:
    path.write_bytes(b"".join(struct.pack("<I", len(record) // unit) + record for record in records))


def ids_of(tokenizer: Tokenizer, texts: list[str]) -> list[bytes]:
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [np.array(encoding.ids, dtype="<i4").tobytes() for encoding in encodings]


def hashes(records: list[bytes], group: int) -> str:
    grouped = [b"".join(records[i : i + group]) for i in range(0, len(records), group)]
    return "".join(hashlib.sha256(ids).hexdigest() + "\n" for ids in grouped)


def write_unicode(folder: Path, tokenizer: Tokenizer) -> None:
    everything = folder.name in ("gpt2", "qwen2")
    firsts = [first for first in range(0, 0x110000, 256) if everything or not is_empty(first)]
    lines = []
    for start in range(0, len(firsts), 256):  # in portions, for memory
        blocks = [block_text(first) for first in firsts[start : start + 256]]
        lines.append(hashes(ids_of(tokenizer, blocks), 1))
    (folder / "unicode.txt").write_text("".join(lines))


def write_alone(folder: Path, tokenizer: Tokenizer) -> None:
    lines = []
    for first in range(0, 0x110000, 256):
        if is_empty(first):
            continue
        alone = [chr(c) if not 0xD800 <= c < 0xE000 else "" for c in range(first, first + 256)]
        lines.append(hashes(ids_of(tokenizer, alone), 256))
    (folder / "alone.txt").write_text("".join(lines))


def write_case(folder: Path, tokenizer: Tokenizer, texts: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = tokenizer.to_str()
    (folder / "tokenizer.json").write_text(legacy(text) if folder.name == "gpt2" else text)
    write_records(folder / "texts.bin", [text.encode() for text in texts], 1)
    write_records(folder / "ids.bin", ids_of(tokenizer, texts), 4)


def write_training(folder: Path) -> None:
    """Samples with the vocabularies and merges of BpeTrainer. The second has words whose pairs make one token twice."""
    draw = random.Random(4)
    runs = ["".join(draw.choice("ab -=\n") * draw.randint(1, 24) for _ in range(40)) for _ in range(400)]
    samples = {"real": (real_texts(2.5) + random_texts(200), 4000), "runs": (runs, 700)}
    for name, (texts, vocab_size) in samples.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        tokenizer = trained(tokenizer_of(byte_level(use_regex=True)), texts, vocab_size - 1)
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
        tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
        (place / "tokenizer.json").write_text(tokenizer.to_str())
        write_records(place / "texts.bin", [text.encode() for text in texts], 1)


def check_config(folder: Path) -> None:
    """The tokenizer_config.json that btm writes, shown to work in transformers."""
    from transformers import PreTrainedTokenizerFast  # not the module: that takes seconds more

    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    loaded = PreTrainedTokenizerFast.from_pretrained(folder)
    end = loaded.convert_tokens_to_ids("<|endoftext|>")
    assert loaded.eos_token_id == loaded.bos_token_id == end, "eos_token is lost"
    assert loaded.model_max_length > 1 << 30, "model_max_length is set"
    text = "It 's done , isn't it ?<|endoftext|>\n  x"
    assert loaded.decode(loaded.encode(text)) == text, "text does not come back"
    assert loaded.encode(text) == Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids, "ids differ"


def main(folder: Path) -> None:
    texts = random_texts(2000) + long_texts() + real_texts(0.6, stride=5)
    for name, tokenizer in make_tokenizers(real_texts(0.6) + random_texts(1000)).items():
        write_case(folder / name, tokenizer, added_texts() + texts[:2000] if name == "added" else texts)
        if name in ("gpt2", "llama3", "qwen2", "o200k", "kept", "classes"):
            write_unicode(folder / name, tokenizer)
        if name == "qwen2":
            write_alone(folder / name, tokenizer)
    write_training(folder / "train")
    check_config(folder / "train" / "real")
