"""Source files without their licence: else every domain is about licences."""

import re

COMMENT = re.compile(r"""\s*(\#|;|//|/\*|\*|%|--|\.\\"|'\\")""")
BARE = re.compile(r"""[\s#;/*%.\\"'-]*$""")
LEGAL = re.compile(r"copyright|\(c\)|licen[cs]e|warranty|free software|redistribut|SPDX", re.IGNORECASE)


def without_licence(text):
    """Cut the legal paragraphs out of the comment that opens a source file."""
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
