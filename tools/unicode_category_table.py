"""Writes btm/data/unicode_category_table.cpp: the general categories of the Unicode version that `tokenizers` matches with.

Usage: python tools/unicode_category_table.py > btm/data/unicode_category_table.cpp

The ids of a text depend on which characters are letters, numbers and so on. `tokenizers` carries Oniguruma with tables of
its own, so the categories are asked from it, one property at a time over all scalar values. Run again when `tokenizers`
moves to a newer Unicode, and check the change with the tokenizer tests.
"""

import textwrap

import tokenizers
from tokenizers import Regex, pre_tokenizers

CATEGORIES = "Cn Cc Cf Co Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()
LIMIT = 0x110000


def members(name: str) -> list[int]:
    """All scalar values with the property, read off the pieces that a Split keeps when all others are removed."""
    values = [c for c in range(LIMIT) if not 0xD800 <= c < 0xE000]
    text = "".join(map(chr, values))
    split = pre_tokenizers.Split(Regex(rf"\p{{{name}}}+"), "removed", invert=True)
    return [ord(c) for piece, _ in split.pre_tokenize_str(text) for c in piece]


def main() -> None:
    category = [0] * LIMIT
    for index, name in enumerate(CATEGORIES[1:], start=1):
        for value in members(name):
            assert category[value] == 0, f"U+{value:04X} has two categories"
            category[value] = index
    starts = [c for c in range(LIMIT) if c == 0 or category[c] != category[c - 1]]
    numbers = ", ".join(f"0x{c << 5 | category[c]:x}" for c in starts)
    print(
        f"""// Written by tools/unicode_category_table.py out of tokenizers {tokenizers.__version__}; do not edit.
#include "btm/data/unicode.h"

namespace btm {{
namespace {{

// First code point of a range << 5 | category.
// clang-format off
constexpr std::uint32_t kTable[] = {{"""
    )
    print("\n".join(textwrap.wrap(numbers, 118, initial_indent="  ", subsequent_indent="  ")))
    print(
        """};
// clang-format on

}  // namespace

std::span<const std::uint32_t> category_table() { return kTable; }

}  // namespace btm"""
    )


if __name__ == "__main__":
    main()
