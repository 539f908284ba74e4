"""One organisation hands an expert to another: what travels, that it arrives bit for bit, and that all goes on with it."""
import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import numpy
from safetensors import safe_open
from safetensors.numpy import load_file

from support import PLAN, btm, make_text

THEIR_PLAN = (PLAN.replace("compare: [dense]", "compare: []")
              .replace("  numpy:", "  c: {{text: {folder}/c.jsonl.gz}}\n  numpy:")
              .replace("evaluate:", "  - {{experts: [c], tokens: 10k, branch: {{from: uniform}}}}\nevaluate:"))

# The second organisation has the first one's seed and tokenizer, and text of its own.
OUR_PLAN = """
forest: {ours}
model: {{from: {folder}/forest/seed}}
training: {{batch_tokens: 512, learning_rate: 5e-3, schedule: linear, dev_tokens: 512}}
domains:
  numpy: {{text: {folder}/numpy.jsonl.gz}}
  cpp: {{text: {folder}/c.jsonl.gz, role: novel}}
seed: {{tokens: 0, domains: all}}
cycles:
  - {{experts: [numpy], tokens: 20k}}
evaluate: {{tokens_per_domain: 4k, dev_sequences: 20, mixtures: [ensemble, top_1, average_uniform]}}
compare: [dense]
"""


def unpacked(packed, base):
    """A delta as docs/formats.md has it, without btm: zstd frames of 65536 numbers each, their bytes in four planes."""
    planes = subprocess.run(["zstd", "-dcq"], input=packed.tobytes(), capture_output=True, check=True).stdout
    base, values = base.view(numpy.uint32).ravel(), []
    for start in range(0, base.size, 65536):
        block = base[start : start + 65536]
        code = numpy.frombuffer(planes[4 * start :][: 4 * block.size], numpy.uint8).reshape(4, -1)
        code = sum(code[byte].astype(numpy.uint32) << numpy.uint32(8 * byte) for byte in range(4))
        values.append(block + ((code >> numpy.uint32(1)) ^ (numpy.uint32(0) - (code & numpy.uint32(1)))))
    return numpy.concatenate(values).view(numpy.float32)


class HandOver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="btm-e2e-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = pathlib.Path(holder.name)
        make_text(cls.folder)
        cls.forest, cls.grown = cls.folder / "forest", cls.folder / "grown"
        cls.plan, cls.our_plan = cls.folder / "theirs.yaml", cls.folder / "ours.yaml"
        cls.plan.write_text(THEIR_PLAN.format(folder=cls.folder))
        btm("grow", cls.plan)
        cls.our_plan.write_text(OUR_PLAN.format(folder=cls.folder, ours=cls.grown))
        btm("grow", cls.our_plan)

    def setUp(self):
        self.ours = self.folder / self.id().split(".")[-1]
        shutil.copytree(self.grown, self.ours)
        self.our_plan.write_text(OUR_PLAN.format(folder=self.folder, ours=self.ours))

    def export(self, expert, *options):
        bundle = self.folder / f"{expert}{len(options)}.btm"
        btm("export", self.forest, expert, "--output", bundle, *options)
        return bundle

    def refused(self, *args, says):
        done = btm(*args, code=2)
        self.assertTrue(done.stderr.startswith("btm: "), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertEqual([str(p) for p in self.folder.rglob("*.tmp")], [])

    def test_a_seed_taken_as_it_is_does_not_depend_on_how_it_would_be_trained(self):
        btm("grow", self.our_plan, "--dry-run", "--set", "seed.training.learning_rate=1e-3")

    def test_others_can_read_a_bundle_and_it_holds_no_secrets(self):
        parents = [(load_file(self.forest / f"experts/{name}/model.safetensors"), weight) for name, weight in
                   ((p["name"], p["weight"]) for p in
                    json.loads((self.forest / "experts/c/expert.json").read_text())["parents"])]
        self.assertEqual(len(parents), 2)
        weights = load_file(self.forest / "experts/c/model.safetensors")
        for options in ((), ("--delta",)):
            bundle = self.export("c", *options)
            data = bundle.read_bytes()
            self.assertEqual(hashlib.sha256(data[:-64]).hexdigest().encode(), data[-64:])
            self.assertNotIn(str(self.folder).encode(), data)
            self.assertNotIn(b"merges", data)  # a tokenizer's vocabulary is made of its text
            with safe_open(bundle, "numpy") as file:
                manifest = json.loads(file.metadata()["btm"])
            expert = json.loads((self.forest / "experts/c/expert.json").read_text())
            self.assertEqual(manifest["expert"], expert)
            self.assertEqual([a["name"] for a in manifest["ancestors"]], [p["name"] for p in expert["parents"]] + ["seed"])
            self.assertEqual(manifest["config"], json.loads((self.forest / "experts/c/config.json").read_text()))
            tensors = load_file(bundle)
            self.assertEqual(tensors.pop("btm.metrics").tobytes(), (self.forest / "experts/c/metrics.jsonl").read_bytes())
            tensors.pop("btm.sha256")
            self.assertEqual(set(tensors), set(weights))
            for name, tensor in tensors.items():
                if options:
                    total = sum(weight * parent[name].astype(numpy.float64) for parent, weight in parents)
                    tensor = unpacked(tensor, total.astype(numpy.float32)).reshape(weights[name].shape)
                self.assertEqual(tensor.tobytes(), weights[name].tobytes(), name)

    def test_the_other_forest_goes_on_with_it(self):
        for expert in ("python", "cpp", "c"):  # the last is a delta to the average of the first two
            btm("import", self.ours, self.export(expert, "--delta"), "--name", f"their_{expert}")
            self.assertEqual((self.ours / f"experts/their_{expert}/model.safetensors").read_bytes(),
                             (self.forest / f"experts/{expert}/model.safetensors").read_bytes())
        self.assertIn("is there already", btm("import", self.ours, self.export("c")).stdout)
        for file in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
            self.assertEqual((self.ours / "experts/their_c" / file).read_bytes(),
                             (self.forest / "experts/c" / file).read_bytes())

        self.assertIn("imported: their_c (called c in its forest)", btm("ls", self.ours).stdout)
        self.assertIn("called c in its forest", btm("show", self.ours, "their_c").stdout)
        lineage = json.loads(btm("lineage", self.ours, "--json").stdout)
        self.assertIn({"from": "their_python", "to": "their_c", "weight": 0.5}, lineage["edges"])
        self.assertEqual({node["state"] for node in lineage["nodes"]}, {"alive"})
        shares = btm("posterior", self.ours, "--text", self.folder / "python.jsonl.gz", "--json").stdout
        self.assertIn("their_python", shares)
        btm("evaluate", self.ours)
        btm("generate", self.ours, "--prompt", "def ", "--tokens", "8", "--show-experts")

        # A new cycle may branch from them; what was trained on their text has no baseline here; our text called as
        # theirs stays ours.
        text = self.our_plan.read_text().replace(f"cpp: {{text: {self.folder}/c.jsonl.gz, role: novel}}",
                                                 f"cpp: {{text: {self.folder}/cpp.jsonl.gz, role: novel}}\n"
                                                 f"  c: {{text: {self.folder}/c.jsonl.gz}}")
        text = text.replace("evaluate:", "  - {experts: [c], tokens: 10k, branch: {from: uniform}}\nevaluate:")
        self.our_plan.write_text(text)
        table = btm("grow", self.our_plan).stdout
        self.assertIn("dense", table)
        ours = json.loads((self.ours / "experts/c/expert.json").read_text())
        self.assertEqual({p["name"] for p in ours["parents"]}, {"numpy", "their_python", "their_cpp", "their_c"})
        dense = json.loads((self.ours / "comparisons/dense/expert.json").read_text())
        self.assertEqual(dense["domains"], ["numpy", "c"])
        evaluation = json.loads((self.ours / "results/evaluation.json").read_text())
        self.assertIn("their_cpp", evaluation["posteriors"]["numpy"])
        self.assertIn("nothing to do", btm("grow", self.our_plan).stderr)
        btm("report", self.ours, "--html", self.folder / "page.html")
        self.assertIn("their_python", (self.folder / "page.html").read_text())
        self.assertEqual({path.name for path in (self.ours / "tensorboard").iterdir()},
                         {"numpy", "c", "dense", "their_python", "their_cpp", "their_c"})

        # Without the parent: tainted, and what can be trained again is.
        removed = btm("remove", self.ours, "their_python", "--retrain", "--yes").stdout
        self.assertIn("their_c has 50.0 % of its initial weights from their_python: goes with it, since it was imported", removed)
        ours = json.loads((self.ours / "experts/c/expert.json").read_text())
        self.assertEqual({p["name"] for p in ours["parents"]}, {"numpy", "their_cpp"})

    def test_an_ancestor_that_is_not_here_and_a_name_that_is_taken(self):
        bundle = self.export("c")
        self.refused("import", self.ours, self.export("c", "--delta"), says="import that one first")
        self.assertIn("not in this forest", btm("import", self.ours, bundle).stdout)
        tree = btm("lineage", self.ours).stdout
        self.assertIn("(in another forest)", tree)
        btm("report", self.ours, "--html", self.folder / "page.html")
        self.assertIn("in another forest", (self.folder / "page.html").read_text())
        self.refused("import", self.ours, self.export("cpp"), "--name", "numpy", says="--name NAME")

        # The plan's own expert of that name: not while the import has it, but once that is gone.
        self.our_plan.write_text(self.our_plan.read_text()
                                 .replace("  cpp:", f"  c: {{text: {self.folder}/cpp.jsonl.gz}}\n  cpp:")
                                 .replace("[numpy]", "[numpy, c]"))
        message = btm("grow", self.our_plan, code=2).stderr
        self.assertIn("import that one under another name", message)
        btm("remove", self.ours, "c", "--yes")
        btm("grow", self.our_plan)
        self.assertNotIn("imported", json.loads((self.ours / "experts/c/expert.json").read_text()))

    def test_a_forest_needs_no_other_folder(self):
        away = self.folder / "away"
        self.forest.rename(away)  # model.from of our plan
        try:
            for dry in (["--dry-run"], []):
                btm("grow", self.our_plan, *dry)
            for words in (["evaluate", self.ours], ["posterior", self.ours, "--domain", "numpy", "--text", self.folder / "c.jsonl.gz"],
                          ["generate", self.ours, "--prompt", "x", "--tokens", "2", "--domain", "numpy"],
                          ["average", "--forest", self.ours, "--weights", "fitted", "--domain", "numpy", "--output", self.ours / "mean"]):
                btm(*words)
        finally:
            away.rename(self.forest)

    def test_what_does_not_fit_is_refused(self):
        bundle = self.export("python")
        data = bundle.read_bytes()
        broken = self.folder / "broken.btm"
        length = struct.unpack("<Q", data[:8])[0]
        for damage in (data[: len(data) // 2], data[:9], b"", b"\xff" * 8 + data[8:], data[:500] + b"#" + data[501:],
                       data[: length + 100] + b"#" + data[length + 101 :]):
            broken.write_bytes(damage)
            self.refused("import", self.ours, broken, says="broken.btm")
        self.refused("import", self.ours, self.folder / "none.btm", says="none.btm")
        self.refused("import", self.ours, self.folder, says=str(self.folder))
        self.refused("export", self.forest, "pyton", "-o", broken, says="did you mean 'python'?")
        self.refused("export", self.forest, "python", "-o", self.folder / "no/such.btm", says="no/such.btm")
        other = self.folder / "other"
        btm("grow", self.plan, "--set", f"forest={other}", "--set", "cycles=[]", "--set", "tokenizer.sample_bytes=50k")
        self.refused("import", other, bundle, says="tokenizer")
        self.assertFalse((other / "log.jsonl").exists())

    def test_no_space_left(self):
        mount = self.folder / "small-disk"
        mount.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], capture_output=True)
        if made.returncode != 0:
            self.skipTest("no right to mount a small disk here")
        bundle = self.export("python")
        try:
            self.refused("export", self.forest, "python", "-o", mount / "python.btm", says="no space left")
            self.assertEqual(list(mount.iterdir()), [])
            subprocess.run(["mount", "--bind", mount, self.ours / "experts"], check=True)
            try:
                self.refused("import", self.ours, bundle, says="no space left")
            finally:
                subprocess.run(["umount", self.ours / "experts"], check=True)
        finally:
            subprocess.run(["umount", mount], check=True)
        self.assertNotIn("import", (self.ours / "log.jsonl").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
