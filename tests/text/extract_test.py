"""Every kind of text that a rule can name, on tiny inputs made here."""
import gzip
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile
import zlib

EXTRACT = pathlib.Path(__file__).parents[2] / "tools/text/extract.py"


def long(text):
    """Made long enough to be a document."""
    return text + "".join(f"\nline {i} of it" for i in range(20))


class Extract(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = pathlib.Path(folder.name) / "out.jsonl.gz"
        self.folder = pathlib.Path(folder.name) / "unpacked"

    def write(self, path, content):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def run_extract(self, rule, millions="1"):
        return subprocess.run([sys.executable, EXTRACT, self.folder, millions, self.out, *rule.split()],
                              capture_output=True, text=True)

    def extract(self, rule, millions="1"):
        """{id: text}, in the order of the file."""
        done = self.run_extract(rule, millions)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = gzip.decompress(self.out.read_bytes()).decode().rstrip("\n").split("\n")
        return {document["id"]: document["text"] for document in map(json.loads, lines)}

    def only_text(self, rule):
        (text,) = self.extract(rule).values()
        return text

    def fails(self, rule, message):
        done = self.run_extract(rule)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(message, done.stderr)

    def test_patterns_match_inside_the_package_and_leave_out(self):
        for path in ("p/usr/a.py", "p/usr/skip/b.py", "p/c.txt", "q/d.py"):
            self.write(path, long(path))
        self.assertEqual(sorted(self.extract("files *.py -*/skip/*")), ["p/usr/a.py", "q/d.py"])
        self.assertEqual(list(self.extract("files usr/*")), list(self.extract("files usr/*.py")))

    def test_short_ones_duplicates_and_what_is_no_text_are_left_out(self):
        self.write("p/a", long("same"))
        self.write("p/b", long("same"))
        self.write("p/short", "short")
        self.write("p/binary", b"\xff\xfe" * 500)
        self.assertEqual(list(self.extract("files *")), ["p/a"])

    def test_order_is_by_hash_and_the_limit_holds(self):
        for i in range(20):
            self.write(f"p/{i:02}", long(f"file {i:02}"))
        everything = list(self.extract("files *"))
        self.assertEqual(len(everything), 20)
        self.assertNotEqual(everything, sorted(everything))
        one = len(long("file 00"))
        self.assertEqual(list(self.extract("files *", str(5.5 * one / 1e6))), everything[:5])
        first = self.out.read_bytes()
        self.extract("files *", str(5.5 * one / 1e6))
        self.assertEqual(self.out.read_bytes(), first)

    def test_long_documents_are_cut_at_line_ends(self):
        text = "".join(f"line {i}\n" for i in range(5000))
        self.write("p/a", text)
        pieces = self.extract("files *")
        self.assertEqual("".join(pieces[f"p/a#{i}"] for i in range(len(pieces))), text)
        self.assertGreater(len(pieces), 2)
        self.assertTrue(all(len(piece) <= 20_000 and piece.endswith("\n") for piece in pieces.values()))

    def test_files_lose_their_licence_and_may_be_compressed(self):
        self.write("p/a.el.gz", gzip.compress(long(";; Copyright (C) 1999 Nobody\n;; Free software.\n\n(code)").encode()))
        self.assertEqual(self.only_text("files *.gz"), long("(code)"))

    def test_files_in_another_encoding(self):
        self.write("p/a", long("日本語の辞書").encode("euc_jp"))
        self.assertEqual(self.only_text("files encoding=euc_jp *"), long("日本語の辞書"))

    def test_an_archive_that_a_pattern_names_is_a_folder(self):
        (self.folder / "p/lib").mkdir(parents=True)
        with zipfile.ZipFile(self.folder / "p/lib/src.zip", "w") as archive:
            archive.writestr("base/A.java", long("class A"))
            archive.writestr("other/B.java", long("class B"))
        self.assertEqual(self.extract("files */src.zip/base/*.java"), {"p/lib/src.zip/base/A.java": long("class A")})
        self.fails("files *.java", "no text found")

    def test_man_pages_start_at_their_title(self):
        self.write("p/usr/share/man/man1/a.1", long('.\\" history\n.TH A 1\n.\\" comment\n.SH NAME'))
        self.write("p/usr/share/man/man1/b.1", long(".so man1/a.1"))
        self.assertEqual(self.only_text("man usr/share/man/man*"), long(".TH A 1\n.SH NAME"))

    def test_html_without_tags_scripts_and_navigation(self):
        self.write("p/a.html", "<head><title>No</title></head><nav>No</nav><script>no()</script><p>One &amp;\ntwo<p>" + "three " * 50)
        self.assertEqual(self.only_text("html *.html"), "One & two\n" + ("three " * 50).strip())

    def test_fortunes(self):
        self.write("p/f", long("first") + "\n%\nsecond 5 %\n%\nthird\n")
        self.assertEqual(self.only_text("fortunes f"), long("first") + "\n\nsecond 5 %\n\nthird")

    def test_dictd(self):
        text = "".join((long("header"), long("apple"), long("pear")))
        at = [len(long("header")), len(long("header") + long("apple"))]
        self.write("p/d.dict.dz", gzip.compress(text.encode()))
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        number = lambda n: digits[n >> 12] + digits[n >> 6 & 63] + digits[n & 63]
        rows = [("00-database-info", 0, at[0]), ("apple", at[0], at[1] - at[0]), ("pear", at[1], len(text) - at[1])]
        self.write("p/d.index", "".join(f"{word}\t{number(where)}\t{number(size)}\n" for word, where, size in rows))
        self.assertEqual(self.only_text("dictd *.index"), long("apple") + "\n\n" + long("pear"))

    def test_stardict(self):
        texts = [long("<b>fruit</b> &amp; tree").encode(), b"yellow"]
        places = [struct.pack(">II", 0, len(texts[0])), struct.pack(">II", len(texts[0]), len(texts[1]))]
        self.write("p/d.dict.dz", gzip.compress(b"".join(texts)))
        index = [(b"pear", places[1]), (b"pomme", places[0]), ("pômme".encode(), places[0])]
        self.write("p/d.idx", b"".join(word + b"\0" + place for word, place in index))
        self.assertEqual(self.only_text("stardict *.idx"), "pomme\n" + long("fruit & tree") + "\n\npear\nyellow")

    def test_wordnet(self):
        self.write("p/data.adj", "  1 licence\n"
                   "00002098 00 a 02 well_known 0 noted(p) 0 002 = 05200169 n 0000 ! 00001740 a 0101 | " + "known " * 50 + "\n")
        self.assertEqual(self.only_text("wordnet *"), "well known, noted(p) (adj): " + ("known " * 50).strip())

    def test_sword(self):
        for entry, size_type in (("<IIH", "old"), ("<III", "new")):
            block = long("One<lb/>In the <w>beginning</w>").encode()
            compressed = zlib.compress(block)
            self.write(f"{size_type}/ot.bzz", compressed)
            self.write(f"{size_type}/ot.bzs", struct.pack("<III", 0, len(compressed), len(block)))
            # A verse that stands twice in the index, and one that isn't there.
            self.write(f"{size_type}/ot.bzv", struct.pack(entry, 0, 0, len(block)) * 2 + struct.pack(entry, 0, 0, 0))
        self.assertEqual(self.only_text("sword ot.*"), long("One\nIn the beginning"))

    def test_translations(self):
        pairs = [("", "header"), ("menu\4Open \"it\"", long("Abrir")), ("file\0files", "archivo\0archivos")]
        for order in "<>":
            table, strings = b"", b""
            for column in (0, 1):
                for pair in pairs:
                    text = pair[column].encode()
                    table += struct.pack(order + "II", len(text), 28 + 16 * len(pairs) + len(strings))
                    strings += text + b"\0"
            head = struct.pack(order + "7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
            self.write("p/a.mo", head + table + strings)
            self.assertEqual(self.only_text("translations *.mo"),
                             'msgid "Open \\"it\\""\nmsgstr "' + long("Abrir").replace("\n", "\\n") + '"\n\n'
                             'msgid "file"\nmsgid_plural "files"\nmsgstr[0] "archivo"\nmsgstr[1] "archivos"')

    def test_errors(self):
        self.write("p/a", long("text"))
        self.fails("poems *", "no kind of text is called poems, only: files")
        self.fails("files -*.py", "a rule needs a pattern")
        self.fails("html encoding=latin1 *", "html takes no encoding")
        self.fails("files *.py", "no text found")


if __name__ == "__main__":
    unittest.main()
