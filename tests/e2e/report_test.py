"""btm report: pages and files that browsers, XML parsers and spreadsheets read, whatever the names are."""
import csv
import html.parser
import json
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree as xml

from support import btm

HOSTILE = "</script><script>alert(1)</script>\"'&,\n;{{title}} naïve 日本"
VOID = {"meta", "br", "link", "img", "input", "hr"}
SVG = "{http://www.w3.org/2000/svg}"


def quality(value):
    return {"perplexity": value, "bits_per_byte": value / 40}


def model(name, kind="expert", cycle=1, parents=()):
    return {"name": name, "kind": kind, "cycle": cycle, "domains": [name], "tokens": 1000, "updates": 10,
            "flops": 1.5e9, "device_seconds": 2.5, "dev_loss": 3.125,
            "parameters": 433000, "tainted": 0.25 if cycle > 1 else 0,
            "parents": [{"name": parent, "weight": weight} for parent, weight in parents],
            "curve": [{"tokens": 100, "loss": 5.5}, {"tokens": 1000, "loss": 3.5, "dev_loss": 3.125}]}


def results(name):
    """What a results folder holds; one expert, domain, model and series is called `name`."""
    domains = {name: {"role": "train", "tokens": 50000, "bytes": 150000},
               "ruby": {"role": "novel", "tokens": 1, "bytes": 3}}
    rows = [{"model": row, "domains": {domain: quality(value) for domain in domains},
             "mean": {role: quality(value) for role in ("train", "novel", "all")},
             "training": {"tokens": 16e6, "flops": 4.25e13, "device_seconds": 185},
             "experts_per_token": 2, "memory_bytes": 1732000, "tokens_per_second": 23400}
            for row, value in (("seed", 92.6875), ("dense", 59.125), ("ensemble", 47.3125), (name, 48.5))]
    return {
        "evaluation.json": {"domains": domains, "rows": rows,
                            "posteriors": {domain: {name: 0.875, "rust": 0.125} for domain in domains}},
        "forest.json": {"seed": model("seed", "seed", 0),
                        "experts": [model(name, parents=[("seed", 1)]),
                                    model("rust", cycle=2, parents=[(name, 0.75), ("gone", 0.25)])],
                        "removed": [{"name": "gone", "cycle": 1, "parents": [{"name": "seed", "weight": 1.0}]}],
                        "comparisons": [model("dense", "dense", 0, [("seed", 1)])]},
        "studies/top_k/study.json": {"study": "top k", "question": name, "x": {"label": "experts", "log": True},
                               "y": {"label": "perplexity"},
                               "series": [{"name": name, "points": [{"x": 1, "y": 48.29, "spread": 0.5},
                                                                    {"x": 2, "y": 47.78}]}]},
        "studies/starts/study.json": {"study": "starts", "x": {"label": "from"}, "y": {"label": "perplexity"},
                                "series": [{"name": "ensemble", "points": [{"x": name, "y": 48.29},
                                                                           {"x": "seed", "y": 50}]}]},
    }


class Page(html.parser.HTMLParser):
    """Checks that elements close in order; counts the scripts, collects the text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.scripts, self.words = [], 0, []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):  # of SVG: nothing to close
        pass

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)


class Report(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.folder = pathlib.Path(self.scratch.name)
        self.forest = self.folder / "forest"
        self.forest.mkdir()

    def write(self, files):
        for name, content in files.items():
            path = self.forest / "results" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))

    def report(self, name):
        self.write(results(name))
        studies = [f"--study={self.forest}/results/studies/{study}" for study in ("top_k", "starts")]
        btm("report", self.forest, "--html", self.folder / "report.html", "--output", self.folder / "files", *studies)
        return (self.folder / "report.html").read_text(), self.folder / "files"

    def test_page_and_its_plots_are_well_formed(self):
        for name in ("python", HOSTILE):
            text, _ = self.report(name)
            page = Page(text)
            self.assertEqual(page.scripts, 1)
            words = "".join(page.words)
            for number in ("92.69", "47.31", "0.88", "3.125", "25 %"):
                self.assertIn(number, words)
            plots = text.split("<svg ")[1:]
            self.assertEqual(len(plots), 7)
            for plot in plots:
                xml.fromstring("<svg " + plot[: plot.index("</svg>")] + "</svg>")

    def test_files_are_read_by_other_programs(self):
        _, folder = self.report(HOSTILE)
        plots, tables = sorted(folder.glob("*.svg")), sorted(folder.glob("*.csv"))
        self.assertEqual(len(plots), 7)
        self.assertEqual(len(tables), 11)
        for path in plots:
            root = xml.parse(path).getroot()
            self.assertEqual(root.tag, SVG + "svg")
            self.assertTrue(root.find(SVG + "title").text)
            self.assertIsNotNone(root.find(SVG + "style"))
            left, top, width, height = map(float, root.get("viewBox").split())
            for text in root.iter(SVG + "text"):
                self.assertTrue(left <= float(text.get("x")) <= left + width, text.text)
                self.assertTrue(top <= float(text.get("y")) <= top + height, text.text)
        for path in tables:
            with open(path, newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file, strict=True))
            self.assertEqual({len(row) for row in rows}, {len(rows[0])}, path)
            self.assertGreater(len(rows), 1, path)
        with open(folder / "results.csv", newline="", encoding="utf-8") as file:
            table = {row["model"]: row for row in csv.DictReader(file)}
        self.assertEqual(table[HOSTILE]["perplexity, all"], "48.5")
        self.assertEqual(float(table["ensemble"]["training, FLOPs"]), 4.25e13)

    def test_studies_that_can_not_be_shown(self):
        self.write(results("python"))
        study, page = self.forest / "results/studies/top_k", f"--html={self.folder}/page.html"
        for options, message in (([page, f"--study={self.folder}"], "study.json: not there"),
                                 ([page, f"--study={study}", f"--study={study}"], "two studies are called 'top k'"),
                                 ([f"--study={study}"], "--html or --output")):
            self.assertIn(message, btm("report", self.forest, *options, code=2).stderr)
        self.assertFalse((self.folder / "page.html").exists())

    def test_a_page_replaces_nothing_but_a_page(self):
        self.report("python")
        self.report("python")
        log = self.forest / "log.jsonl"
        log.write_text("edits\n")
        self.assertIn("is no page", btm("report", self.forest, "--html", log, code=2).stderr)
        self.assertEqual(log.read_text(), "edits\n")

    def test_nothing_comes_from_elsewhere(self):
        text, _ = self.report("python")
        text = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
        for sign in ("http:", "https:", "//", "@import", "url(", "src="):
            self.assertNotIn(sign, text.replace("// ", ""))

    def test_nothing_to_report(self):
        done = btm("report", self.forest, "--html", self.folder / "report.html", code=2)
        self.assertIn("nothing to report yet", done.stderr)
        self.assertFalse((self.folder / "report.html").exists())

    def test_forests_keep_their_folders_for_themselves(self):
        self.write(results("python"))
        (self.forest / "log.jsonl").touch()
        done = btm("report", self.forest, "--html", self.forest / "experts/page.html", code=2)
        self.assertIn("experts", done.stderr)
        self.assertFalse((self.forest / "experts/page.html").exists())

    def test_broken_results_are_named(self):
        self.write({"evaluation.json": {"rows": 3}, "forest.json": results("python")["forest.json"]})
        done = btm("report", self.forest, "--html", self.folder / "report.html", code=2)
        self.assertIn("evaluation.json", done.stderr)

    def test_page_or_print(self):
        self.write(results("python"))
        done = btm("report", self.forest, "--html", self.folder / "report.html", "--json", code=2)
        self.assertIn("--html", done.stderr)


if __name__ == "__main__":
    unittest.main()
