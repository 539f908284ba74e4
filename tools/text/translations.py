"""Compiled gettext catalogues (.mo), back as msgid and msgstr."""

import struct

from pieces import packed


def translations(matches):
    for name, path in matches:
        yield from packed(name, map(written_out, catalogue(path.read_bytes())), "\n\n")


def catalogue(data):
    """Pairs of a text and its translation: two tables of (length, offset), see "The Format of GNU MO Files" in gettext's manual."""
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, texts, translated = struct.unpack_from(order + "III", data, 8)
    for i in range(count):
        yield tuple(data[at : at + size].decode("utf-8") for size, at in
                    (struct.unpack_from(order + "II", data, table + 8 * i) for table in (texts, translated)))  # fmt: skip


def written_out(pair):
    """As it stood in the .po file, without its context; nothing for the catalogue's own header, whose text is empty."""
    source, *plural = pair[0].rpartition("\4")[2].split("\0")
    if not source:
        return ""
    forms = pair[1].split("\0")
    lines = [f'msgid "{escaped(source)}"', *(f'msgid_plural "{escaped(text)}"' for text in plural)]
    names = [f"msgstr[{i}]" for i in range(len(forms))] if plural else ["msgstr"]
    return "\n".join(lines + [f'{name} "{escaped(form)}"' for name, form in zip(names, forms)])


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
