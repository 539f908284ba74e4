"""Documents of a handy size: short entries put together, long texts cut."""

PIECE = 20_000  # characters: longer documents are cut at a line end
PACK = 8_000  # characters: short entries of dictionaries and verses are put together up to this


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
