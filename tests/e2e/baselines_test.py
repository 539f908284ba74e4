"""The baselines of equal training compute, and what is trained again when the forest changes."""
import gzip
import json
import os
import subprocess
import unittest

from support import BTM, ForestCase, btm

THREE = """
  - {experts: [c], tokens: 10k, branch: {from: uniform}}
"""


class Baselines(ForestCase):
    def info(self, name):
        return json.loads((self.forest / name / "expert.json").read_text())

    def test_all_train_with_the_compute_of_the_forest(self):
        self.edit_plan("compare: [dense]", "compare: [dense, demix, random_split, random_init, {model: dense, from: random}]")
        table = btm("grow", self.plan).stdout
        rows = {row["model"]: row for row in json.loads((self.forest / "results/evaluation.json").read_text())["rows"]}
        names = ("dense", "demix", "random_split", "random_init", "dense_from_random")
        for name in names:
            self.assertIn(name, table)
            self.assertLess(abs(rows[name]["training"]["tokens"] - rows["ensemble"]["training"]["tokens"]), 2048, name)
        self.assertEqual(set(self.weights()), {
            "seed", "experts/python", "experts/cpp", "comparisons/dense", "comparisons/dense_from_random",
            "comparisons/demix/python", "comparisons/demix/cpp", "comparisons/random_split/part_1",
            "comparisons/random_split/part_2", "comparisons/random_init/python", "comparisons/random_init/cpp"})
        # Not the seed's sequences over again: 29,696 tokens of two domains, in sequences of 32.
        begins = {path: json.loads((self.forest / path / "expert.json").read_text())["recipe"].get("first_round", 0)
                  for path in self.weights()}
        again = {"seed", "experts/cpp", "comparisons/dense_from_random", "comparisons/random_init/python", "comparisons/random_init/cpp"}
        self.assertEqual(begins, {path: 0 if path in again else 464 for path in self.weights()})
        # What a distributed run would add up between its workers for an update.
        shared = {name: rows[name]["training"]["bytes_per_update"] for name in (*names, "ensemble")}
        parameters = rows["dense"]["active_parameters"]
        self.assertEqual(shared["dense"], 4 * parameters)
        feed_forward = 32 * 128 * 2 + 128 + 32
        self.assertEqual(shared["demix"], 4 * (parameters - feed_forward))
        self.assertEqual((shared["random_split"], shared["random_init"], shared["ensemble"]), (0, 0, 0))
        self.assertEqual(rows["demix"]["memory_bytes"], 4 * (parameters + feed_forward))
        self.assertEqual(self.event_files(), {
            "seed", "python", "cpp", "dense", "dense_from_random", "demix", "random_split-part_1", "random_split-part_2",
            "random_init-python", "random_init-cpp"})
        before = self.weights()
        (self.forest / "comparisons/random_init/.nfs0001").touch()  # a file of the system's
        self.assertIn("nothing to do", btm("grow", self.plan).stderr)
        self.assertEqual(self.weights(), before)
        btm("generate", self.forest, "--expert", "demix/python", "--prompt", "def ", "--tokens", 5)
        for name in ("demix/python", "random_split/part_1", "random_init/cpp", "dense_from_random"):
            self.assertIn(str(self.forest / "comparisons" / name), btm("show", self.forest, name).stdout)
        self.assertIn("did you mean 'random_split/part_1'?", btm("show", self.forest, "random_split/part1", code=2).stderr)
        btm("remove", self.forest, "cpp", "--yes")
        btm("grow", self.plan)
        self.assertEqual(self.event_files(), {
            "seed", "python", "dense", "dense_from_random", "demix", "random_split-part_1", "random_init-python"})

    def test_demix_loads_in_transformers(self):
        import torch
        import transformers

        self.edit_plan("compare: [dense]", "compare: [demix]")
        btm("grow", self.plan)
        python, cpp = (transformers.AutoModelForCausalLM.from_pretrained(self.forest / "comparisons/demix" / name).state_dict()
                       for name in ("python", "cpp"))
        for key, value in python.items():
            self.assertNotEqual(torch.equal(value, cpp[key]), ".mlp." in key, key)

    def test_a_seed_of_no_tokens_is_random_weights(self):
        self.edit_plan("tokens: 30k, domains: all", "tokens: 0, domains: [python]")
        btm("grow", self.plan)
        self.assertIn("nothing to do", btm("grow", self.plan).stderr)
        self.assertEqual(self.info("seed")["tokens"], 0)
        self.assertEqual([p["name"] for p in self.info("experts/cpp")["parents"]], ["seed"])


class Retrain(ForestCase):
    def setUp(self):
        super().setUp()
        cores = os.sched_getaffinity(0)  # on one: the bytes of weights depend on the threads, and those on who trains beside
        self.addCleanup(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, {min(cores)})

    def test_what_is_tainted_becomes_what_it_had_been_without(self):
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        self.edit_plan("tokens: 30k, domains: all", "tokens: 30k, domains: [python]")  # the same seed with and without cpp
        self.edit_plan("\nevaluate:", THREE + "evaluate:")
        self.edit_plan("compare: [dense]", "compare: []")
        btm("grow", self.plan)
        before = self.weights()
        listed = btm("remove", self.forest, "cpp", "--retrain", "--yes").stdout
        self.assertRegex(listed, r"c has 50.0 % of its initial weights from cpp: is trained again without it")
        self.assertIn("training them again takes", listed)
        after = self.weights()
        self.assertEqual(set(after), {"seed", "experts/python", "experts/c"})
        self.assertEqual(after["seed"], before["seed"])
        self.assertEqual(after["experts/python"], before["experts/python"])
        self.assertNotEqual(after["experts/c"], before["experts/c"])
        self.assertEqual([p["name"] for p in self.info_of("c")["parents"]], ["python"])
        removed = next(node["id"] for node in json.loads(btm("lineage", self.forest, "--json").stdout)["nodes"] if node["id"].startswith("c@"))
        self.assertIn("removed", btm("show", self.forest, removed).stdout)
        self.assertEqual(json.loads(btm("show", self.forest, removed, "--json").stdout)["weights_sha256"][:8], removed[2:])
        # A forest that never had it.
        self.edit_plan("experts: [python, cpp]", "experts: [python]")
        btm("grow", self.plan, "--set", f"forest={self.folder}/never")
        self.forest = self.folder / "never"
        self.assertEqual(self.weights(), after)

    def test_what_is_to_be_trained_again_is_said_to_be(self):
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        self.edit_plan("\nevaluate:", THREE + "evaluate:")
        self.edit_plan("compare: [dense]", "compare: []")
        btm("grow", self.plan)
        with subprocess.Popen([BTM, "remove", self.forest, "cpp", "--retrain", "--yes"], stdout=subprocess.PIPE, text=True) as again:
            while again.stdout.readline() != "removed cpp\n":
                self.assertIsNone(again.poll())
            again.kill()  # before anything is trained
        self.assertIn("to be trained again by the next grow", btm("remove", self.forest, "c").stdout)
        self.assertEqual(btm("remove", self.forest, "cpp").stdout, "cpp was removed before\n")

    def test_text_that_grow_would_refuse_is_told_before_anything_is_removed(self):
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        self.edit_plan("\nevaluate:", THREE + "evaluate:")
        self.edit_plan("compare: [dense]", "compare: []")
        btm("grow", self.plan)
        before = self.weights()
        for name, content, says in (("python", b'{"text": "other"}\n', "its text has changed"), ("c", b"no gzip", "c.jsonl.gz")):
            text = self.folder / f"{name}.jsonl.gz"
            kept = text.read_bytes()
            text.write_bytes(gzip.compress(content) if name == "python" else content)
            self.assertIn(says, btm("remove", self.forest, "cpp", "--retrain", "--yes", code=2).stderr)
            self.assertEqual(self.weights(), before)
            text.write_bytes(kept)

    def info_of(self, name):
        return json.loads((self.forest / "experts" / name / "expert.json").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
