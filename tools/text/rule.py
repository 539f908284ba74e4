"""How a domain's text is taken: KIND [encoding=NAME] PATTERN... [-PATTERN...]

Patterns match paths inside a package, * also over /; -PATTERN leaves paths out. A .zip that a pattern names, as in
*/src.zip/*.java, is a folder of its files.
"""

import dataclasses
import fnmatch
import zipfile

from dictionaries import dictd, stardict, wordnet
from markup import html_pages
from plain import files, fortunes, man
from sword import sword
from translations import translations

# Each takes the files that match, as (id, path), and gives (id, text).
KINDS = {"files": files, "man": man, "fortunes": fortunes, "html": html_pages, "dictd": dictd, "stardict": stardict,
         "wordnet": wordnet, "sword": sword, "translations": translations}  # fmt: skip


@dataclasses.dataclass
class Rule:
    kind: str
    options: dict
    wanted: list
    unwanted: list

    def texts(self, folder):
        """(id, text) of all that it takes from a folder that holds one folder per package."""
        return KINDS[self.kind](self.matches(folder), **self.options)

    def matches(self, folder):
        for name, path in files_below(folder, any(".zip/" in pattern for pattern in self.wanted)):
            inside = name.partition("/")[2]  # without the package's folder
            if any_fits(inside, self.wanted) and not any_fits(inside, self.unwanted):
                yield name, path


def parsed(words):
    kind, *words = words
    options = dict(word.split("=", 1) for word in words if word.startswith("encoding="))
    patterns = [word for word in words if not word.startswith("encoding=")]
    wanted = [pattern for pattern in patterns if not pattern.startswith("-")]
    if kind not in KINDS:
        raise ValueError(f"no kind of text is called {kind}, only: {', '.join(KINDS)}")
    if options and kind != "files":
        raise ValueError(f"{kind} takes no encoding, only files does")
    if not wanted:
        raise ValueError(f"a rule needs a pattern of paths: {' '.join([kind, *words])}")
    return Rule(kind, options, wanted, [pattern[1:] for pattern in patterns if pattern.startswith("-")])


def files_below(folder, into_archives):
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file():
            continue
        if into_archives and path.suffix == ".zip":
            archive = zipfile.ZipFile(path)
            for member in sorted(n for n in archive.namelist() if not n.endswith("/")):
                yield f"{name}/{member}", zipfile.Path(archive, member)
        else:
            yield name, path


def any_fits(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
