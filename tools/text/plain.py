"""Plain text files: sources, manual pages in roff, fortunes."""

import gzip
import re

from licence import without_licence
from pieces import packed


def files(matches, encoding="utf-8"):
    """A file is a document; what is not text in that encoding is left out."""
    for name, path in matches:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        try:
            yield name, without_licence(data.decode(encoding))
        except UnicodeDecodeError:
            continue


def man(matches):
    """A manual page in roff, from its title on, without its comments (licences, history, macros of its generator)."""
    for name, text in files(matches):
        title = re.search(r"^\.(TH|Dd)\b", text, flags=re.MULTILINE)
        if title:
            lines = text[title.start() :].splitlines(keepends=True)
            yield name, "".join(line for line in lines if not line.startswith((".\\\"", "'\\\"")))


def fortunes(matches):
    """Sayings with a line that is % between two of them."""
    for name, text in files(matches):
        yield from packed(name, (saying.strip() for saying in re.split(r"^%\n", text, flags=re.MULTILINE)), "\n\n")
