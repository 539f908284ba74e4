"""get_text.sh against a made-up archive: apt's programs are replaced, dpkg-deb and tar are the real ones."""
import gzip
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).parents[2] / "tools/text"

# The archive is a folder with NAME.deb and NAME.tar.xz, all of version 1; the lists have a version 2 too, and "deleted".
FAKE_APT = """#!/usr/bin/env bash
program=${0##*/} words=()
while (($#)); do case $1 in -o) shift ;; -*) ;; *) words+=("$1") ;; esac; shift; done
names=("${words[@]:1}")
case $program-${words[0]} in
  apt-cache-policy) for name in "${names[@]}"; do
      [[ ! -e $ARCHIVE/$name.deb && $name != *deleted* ]] || printf '%s:\\n  Candidate: 1\\n' "$name"; done ;;
  apt-cache-showsrc) for name in "${names[@]}"; do [[ ! -e $ARCHIVE/$name.tar.xz ]] || echo "Package: $name"; done ;;
  apt-cache-madison) printf '%s | %s | archive %s\n' $names 2 Packages $names 1 Packages $names 2 Sources $names 1 Sources ;;
  apt-get-download | apt-get-source)
    [[ $names == *=1 ]] || { echo "no $names" >&2; exit 100; }
    cp "$ARCHIVE/${names%=1}".* . && ls >>"$ARCHIVE/log" ;;
  apt-config-shell) echo "Dir_Etc_list=/dev/null; Dir_Etc_parts=$ARCHIVE/" ;;
esac
"""


def text(name):
    return "".join(f"{name} says {i}\n" for i in range(50))


@unittest.skipUnless(shutil.which("dpkg-deb"), "needs dpkg-deb")
class GetText(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.archive, self.data, self.temporary = (self.folder / name for name in ("archive", "data", "tmp"))
        for path in (self.archive, self.temporary, self.folder / "bin"):
            path.mkdir()
        for program in ("apt-get", "apt-cache", "apt-config"):
            (self.folder / "bin" / program).write_text(FAKE_APT)
            (self.folder / "bin" / program).chmod(0o755)

    def package(self, name):
        root = self.folder / "build" / name
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: N <n@n>\n"
                                             "Description: made up\n")
        (root / "usr").mkdir()
        (root / "usr/words.txt").write_text(text(name))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, self.archive / f"{name}.deb"], check=True,
                       capture_output=True)

    def source_package(self, name):
        (self.folder / "words.txt").write_text(text(name))
        with tarfile.open(self.archive / f"{name}.tar.xz", "w:xz") as tar:
            tar.add(self.folder / "words.txt", f"{name}-1/words.txt")

    def run_get_text(self, rows, *arguments, options=()):
        table = self.folder / "domains.tsv"
        table.write_text("# a comment\n" + "".join("\t".join(row) + "\n" for row in rows))
        return subprocess.run(["bash", TOOLS / "get_text.sh", *options, table, self.data, *arguments], capture_output=True,
                              text=True, env={**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                                              "ARCHIVE": str(self.archive), "TMPDIR": str(self.temporary)})

    def made(self):
        return sorted(path.name for path in self.data.iterdir())

    def test_makes_what_is_missing_and_cleans_up(self):
        self.package("one")
        self.source_package("two")
        rows = [("a", "train", "1", "1", "gone|one", "files *.txt"), ("b", "novel", "-", "1", "src:two", "files */*.txt"),
                ("c", "novel", "-", "1", "one src:two", "files *.txt")]
        done = self.run_get_text(rows)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.made(), ["a.jsonl.gz", "b.jsonl.gz", "c.jsonl.gz"])
        self.assertIn(b"src:two/two-1/words.txt", gzip.decompress((self.data / "b.jsonl.gz").read_bytes()))
        self.assertEqual(gzip.decompress((self.data / "c.jsonl.gz").read_bytes()).count(b"\n"), 2)
        self.assertEqual(list(self.temporary.iterdir()), [])
        self.assertEqual((self.archive / "log").read_text(), "one.deb\ntwo.tar.xz\n")  # once each
        (self.data / "b.jsonl.gz").unlink()
        self.assertEqual(self.run_get_text(rows).returncode, 0)
        self.assertEqual((self.archive / "log").read_text(), "one.deb\ntwo.tar.xz\ntwo.tar.xz\n")

    def test_goes_on_past_what_cannot_be_made(self):
        self.package("one")
        done = self.run_get_text([("a", "train", "1", "1", "gone", "files *.txt"),
                                  ("b", "train", "1", "1", "deleted", "files *.txt"),
                                  ("c", "train", "1", "1", "one", "files *.no"),
                                  ("d", "train", "1", "1", "one", "files *.txt")])
        self.assertEqual(done.returncode, 2)
        for message in ("a: no package gone", "b: apt-get can't download deleted: no deleted=2", "no text found under",
                        "not made: a b c"):
            self.assertIn(message, done.stderr)
        self.assertEqual(self.made(), ["d.jsonl.gz"])

    def test_only_the_named_domains_and_only_so_much(self):
        self.package("one")
        rows = [(name, "train", "1", "1", "one", "files *.txt") for name in "abc"]
        self.assertEqual(self.run_get_text(rows, "c", "a").returncode, 0)
        self.assertEqual(self.made(), ["a.jsonl.gz", "c.jsonl.gz"])
        done = self.run_get_text(rows, "b", options=["-m", "0.0001"])
        self.assertIn("no text", done.stderr)
        done = self.run_get_text(rows, "d")
        self.assertEqual(done.returncode, 2)
        self.assertIn("has no domain d", done.stderr)
        self.assertEqual(self.run_get_text(rows, options=["-m", "all"]).returncode, 2)


if __name__ == "__main__":
    unittest.main()
