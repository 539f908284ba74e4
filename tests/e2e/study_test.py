"""btm study: variants of a plan that share what has an equal recipe."""
import json
import os
import pathlib
import statistics
import unittest

from support import ForestCase, btm

STUDY = """
study: share
question: How much of the compute should the seed have?
plan: forest.yaml
folder: {folder}/study/
x_label: share of the seed (%)
set: ["compare=[]"]
variants:
  - {{name: none, x: 0, set: [seed.tokens=0, cycles.0.tokens=35k]}}
  - {{name: some, x: 43}}
  - {{name: same, x: 44}}
  - {{name: more_experts, x: 50, set: [evaluate.tokens_per_domain=3k]}}
series:
  - {{row: ensemble, domains: train}}
  - {{row: average_uniform, domains: all}}
  - {{row: ensemble, domains: numpy, measure: bits_per_byte}}
"""


class Study(ForestCase):
    def setUp(self):
        super().setUp()
        self.study = self.folder / "study.yaml"
        self.study.write_text(STUDY.format(folder=self.folder))

    def test_answers_in_one_table_and_trains_nothing_twice(self):
        damaged = self.folder / "beside/damaged"  # a neighbour that has nothing to give
        (damaged / "seed").mkdir(parents=True)
        (damaged / "forest.yaml").touch()
        (damaged / "seed/expert.json").write_text("{")
        out = btm("study", self.study)
        self.assertIn("How much of the compute", out.stdout)
        result = json.loads((self.folder / "study/study.json").read_text())
        self.assertEqual([p["x"] for p in result["series"][0]["points"]], [0, 43, 44, 50])
        for variant, point in zip(("none", "some"), result["series"][0]["points"]):
            rows = json.loads((self.folder / f"study/{variant}/results/evaluation.json").read_text())["rows"]
            row = next(row for row in rows if row["model"] == "ensemble")
            self.assertEqual(point["y"], row["mean"]["train"]["perplexity"])
        # The third variant differs in its evaluation alone: its models are the second's, as the same files.
        for name in ("seed", "experts/python", "experts/cpp"):
            self.assertTrue(os.path.samefile(self.folder / f"study/some/{name}/model.safetensors",
                                             self.folder / f"study/more_experts/{name}/model.safetensors"), name)
            self.assertTrue((self.folder / f"study/more_experts/{name}/metrics.jsonl").exists())
        self.assertTrue(os.path.samefile(self.folder / "study/none/tokens/cpp/train.bin",
                                         self.folder / "study/some/tokens/cpp/train.bin"))
        # The second one's settings again: one forest.
        self.assertFalse((self.folder / "study/same").exists())
        self.assertEqual(result["series"][0]["points"][2]["y"], result["series"][0]["points"][1]["y"])
        self.assertIsNone(json.loads(btm("ls", self.folder / "study/none", "--json").stdout)["seed"]["perplexity"])
        self.assertIn("nothing", btm("grow", self.folder / "study/some/forest.yaml").stderr)
        self.assertEqual(btm("study", self.study, "--json").stdout.strip(),
                         (self.folder / "study/study.json").read_text().strip())

    def test_variants_change_places_and_have_tokenizers_of_their_own(self):
        head, _, rest = self.study.read_text().partition("variants:\n")
        none, some, *_ = rest.splitlines(True)
        small = "  - {name: small, x: 50, set: [tokenizer.vocab_size=300]}\n"
        tail = rest[rest.index("series:"):]
        self.study.write_text(head + "variants:\n" + none + small + tail)
        btm("study", self.study)
        for variant, size in (("none", 512), ("small", 300)):
            config = json.loads((self.folder / f"study/{variant}/seed/config.json").read_text())
            self.assertEqual(config["vocab_size"], size)
        self.study.write_text(head + "variants:\n" + none.replace("cycles.0", "tokenizer.vocab_size=300, cycles.0") + tail)
        self.assertIn("tokenizer.vocab_size", btm("study", self.study, code=2).stderr)
        self.study.write_text(head + "variants:\n" + some + small + none + tail)
        btm("study", self.study)
        none, some = (self.folder / f"study/{variant}/tokenizer/tokenizer.json" for variant in ("none", "some"))
        self.assertEqual(none.read_bytes(), some.read_bytes())

    def test_two_points_at_one_place_and_measures_of_their_own(self):
        text = self.study.read_text()
        self.study.write_text(text.replace("x: 44", "x: 43"))
        self.assertIn("has two points at 43", btm("study", self.study, code=2).stderr)
        self.study.write_text(text.replace("x_label:", "log_x: true\nx_label:"))
        self.assertIn("variant 'none': x is 0", btm("study", self.study, code=2).stderr)
        self.assertFalse((self.folder / "study").exists())
        self.study.write_text(text.replace("x: 50", "x: .inf").replace("x: 44", "x: 44, row: average_uniform, domains: all"))
        table = btm("study", self.study).stdout
        self.assertRegex(table, r"ensemble, train, perplexity .* ensemble, numpy, bits_per_byte")
        self.assertEqual(json.loads((self.folder / "study/study.json").read_text())["series"][0]["points"][3]["x"], ".inf")
        rows = json.loads((self.folder / "study/some/results/evaluation.json").read_text())["rows"]
        own = next(row for row in rows if row["model"] == "average_uniform")["mean"]["all"]["perplexity"]
        self.assertEqual(json.loads((self.folder / "study/study.json").read_text())["series"][0]["points"][2]["y"], own)
        btm("report", self.folder / "study/some", "--study", self.folder / "study", "--html", self.folder / "page.html")

    def test_shares_with_the_study_beside_it(self):
        btm("study", self.study)
        btm("study", self.other_study())
        for file in ("seed/model.safetensors", "experts/python/model.safetensors", "tokens/cpp/train.bin"):
            self.assertTrue(os.path.samefile(self.folder / "study/some" / file, self.folder / "other/some" / file), file)
        self.assertTrue(os.path.samefile(self.folder / "study/none/tokenizer/tokenizer.json",
                                         self.folder / "other/some/tokenizer/tokenizer.json"))
        scores = [sorted(path.name for path in (self.folder / study / "some/results/scores").iterdir())
                  for study in ("study", "other")]
        self.assertEqual(scores[0], scores[1])
        self.assertTrue(os.path.samefile(self.folder / "study/some/results/scores" / scores[0][0],
                                         self.folder / "other/some/results/scores" / scores[0][0]))

    def other_study(self):
        """Beside the first, of some of its variants."""
        other = self.folder / "other.yaml"
        other.write_text(STUDY.format(folder=self.folder).replace("/study", "/other")
                         .replace("  - {name: none, x: 0, set: [seed.tokens=0, cycles.0.tokens=35k]}\n", ""))
        return other

    def test_a_damaged_model_is_not_taken_over(self):
        btm("study", self.study)
        weights = pathlib.Path("some/experts/cpp/model.safetensors")
        whole = (self.folder / "study" / weights).read_bytes()
        with (self.folder / "study" / weights).open("r+b") as file:  # in all forests that share it
            file.seek(-1, os.SEEK_END)
            file.write(bytes([whole[-1] ^ 1]))
        error = btm("study", self.other_study()).stderr
        self.assertIn(f"{weights.parent.name}: damaged, so it isn't taken over", error)
        self.assertFalse(os.path.samefile(self.folder / "study" / weights, self.folder / "other" / weights))
        btm("verify", self.folder / "other/some")

    def test_random_seeds_give_a_spread(self):
        self.study.write_text(self.study.read_text().replace("variants:", "random_seeds: [1, 2]\nvariants:"))
        result = json.loads(btm("study", self.study, "--json").stdout)
        self.assertEqual(len(result["variants"]), 8)
        shown = (("ensemble", "mean", "train", "perplexity"), ("average_uniform", "mean", "all", "perplexity"),
                 ("ensemble", "domains", "numpy", "bits_per_byte"))
        for series, (model, part, domains, measure) in zip(result["series"], shown, strict=True):
            for variant, point in zip(("none", "some", "same", "more_experts"), series["points"], strict=True):
                values = []
                for forest in (each["forest"] for each in result["variants"] if each["name"] == variant):
                    rows = json.loads((pathlib.Path(forest) / "results/evaluation.json").read_text())["rows"]
                    row = next(row for row in rows if row["model"] == model)
                    values.append(row[part][domains][measure])
                self.assertEqual(len(values), 2)
                self.assertGreater(point["spread"], 0)
                self.assertAlmostEqual(point["spread"], statistics.stdev(values), places=9)
                self.assertAlmostEqual(point["y"], statistics.mean(values), places=9)

    def test_a_mistake_in_the_last_variant_shows_before_the_first_is_grown(self):
        self.study.write_text(self.study.read_text().replace("evaluate.tokens_per_domain=3k", "evaluate.tokens=3k"))
        message = btm("study", self.study, code=2).stderr
        self.assertIn("more_experts", message)
        self.assertFalse((self.folder / "study").exists())

    def test_what_no_results_can_have_is_told_before_any_is_grown(self):
        right = self.study.read_text()
        for old, new, says in (
            ("row: average_uniform", "row: average_unform", "series[1].row: 'average_unform'|did you mean 'average_uniform'?"),
            ("domains: numpy", "domains: nmpy", "series[2].domains: 'nmpy'|did you mean 'numpy'?"),
            ("bits_per_byte", "bits", "series[2].measure: 'bits'|perplexity, bits_per_byte"),
            ("x: 43", "x: 43, row: dense", "variant some: row: 'dense'|seed, ensemble"),  # compare is empty
            ('set: ["compare=[]"]', 'set: ["compare=[]", "cycles=[]"]\n', "variant none: |cycles"),
        ):
            with self.subTest(new=new):
                self.assertIn(old, right)
                self.study.write_text(right.replace(old, new).replace(", cycles.0.tokens=35k", "" if "cycles=[]" in new else ", cycles.0.tokens=35k"))
                error = btm("study", self.study, code=2).stderr
                for word in says.split("|"):
                    self.assertIn(word, error)
                self.assertFalse((self.folder / "study").exists())

    def test_a_row_that_no_variant_turns_out_to_have_is_named(self):
        self.edit_plan("top_1,", "top_1, top_4,")  # with two experts it is the ensemble
        self.study.write_text(self.study.read_text().replace("average_uniform", "top_4"))
        error = btm("study", self.study, code=2).stderr
        for word in ("top_4", "ensemble", "average_uniform"):
            self.assertIn(word, error)
        self.assertTrue((self.folder / "study/some/results/evaluation.json").exists(), "what was grown stays")


if __name__ == "__main__":
    unittest.main(verbosity=2)
