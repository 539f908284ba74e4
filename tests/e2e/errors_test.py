"""Bad input: exit code 2, one clear message, nothing half-written."""
import gzip
import json
import os
import pathlib
import resource
import shutil
import subprocess
import unittest

from support import BTM, ForestCase, btm, write_lines


class Errors(ForestCase):
    def refused(self, *args, says, command=None):
        """The command fails with code 2 and one line that holds each of the words."""
        done = btm(*args, code=2) if command is None else command
        self.assertEqual(done.returncode, 2, done.stderr)
        message = done.stderr.strip().splitlines()[-1]
        self.assertTrue(message.startswith("btm: "), done.stderr)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, message)
        for sign in ("Exception raised from", "frame #", "terminate called"):
            self.assertNotIn(sign, done.stderr)
        return message

    def grow_refused(self, says, *overrides):
        args = [word for override in overrides for word in ("--set", override)]
        message = self.refused("grow", self.plan, *args, says=says)
        leftovers = [str(p) for p in self.forest.rglob("*.tmp")] if self.forest.exists() else []
        self.assertEqual(leftovers, [], "half-written files")
        return message

    # ---- the plan

    def test_unknown_key_names_the_nearest(self):
        self.grow_refused(["training.learning_rte", "did you mean 'learning_rate'?"], "training.learning_rte=1")

    def test_wrong_type(self):
        self.grow_refused(["training.batch_tokens", "many"], "training.batch_tokens=many")

    def test_missing_plan(self):
        self.refused("grow", self.folder / "none.yaml", says="none.yaml")

    def test_heads_that_do_not_divide_the_width(self):
        self.grow_refused(["heads", "32", "3"], "model.heads=3")

    def test_context_of_no_tokens(self):
        self.grow_refused(["context", "0"], "model.context=0")

    def test_gpu_that_is_not_there(self):
        self.grow_refused(["device cuda", "btm doctor"], "launcher.device=cuda")
        self.assertFalse((self.forest / "forest.yaml").exists())
        self.grow_refused(["launcher.device", "gpu", "auto, cpu, cuda"], "launcher.device=gpu")

    def test_tokens_for_less_than_an_update_are_told_before_any_work(self):
        for key in ("seed", "cycles.0", "compare.0"):
            key = f"{key}.tokens"
            name = key.replace(".0", "[0]")
            self.grow_refused([f"{name} is 7", "batch_tokens"], "compare=[{model: dense}]", f"{key}=7")
        self.assertFalse((self.forest / "forest.yaml").exists())

    def test_branches_that_cannot_be(self):
        self.grow_refused(["cycles[0].branch.top_k", "-1"], "cycles.0.branch.top_k=-1")
        self.grow_refused(["cycles[0].branch.sequences", "0"], "cycles.0.branch.sequences=0")
        self.refused("grow", self.plan, "--dry-run", "--set", "cycles.0.branch={weights: {seed: 0}}", says="cycles[0].branch.weights: all are 0")
        self.refused("grow", self.plan, "--dry-run", "--set", "tokenizer.vocab_size=100", says=["tokenizer.vocab_size is 100", "257"])

    def test_a_parent_that_nobody_has_is_told_before_any_work(self):
        cycles = "cycles=[{experts: [python], tokens: 20k}, {experts: [cpp], tokens: 20k, branch: {weights: {pyton: 1}}}]"
        for dry in ([], ["--dry-run"]):
            self.refused("grow", self.plan, "--set", cycles, *dry, says=["cycles[1].branch.weights.pyton", "did you mean 'python'?"])
        self.assertFalse(self.forest.exists())

    def test_what_the_system_refuses_is_told_as_it_says_it(self):
        self.refused("train", "x" * 300, says=["xxx/run.yaml: File name too long"])

    def test_a_new_run_that_is_refused_leaves_nothing(self):
        btm("grow", self.plan, "--set", "cycles=[]")
        run = self.folder / "run"
        options = ["--output", run, "--tokenizer", self.forest / "tokenizer", "--tokens", "2k", "--quiet"]
        for setting in ("model.layers=1", "model.width=32", "model.heads=2", "model.context=32", "training.batch_tokens=512"):
            options += ["--set", setting]
        self.refused("train", *options, "--tokens-from", self.folder / "nowhere", says="nowhere")
        self.assertFalse(run.exists())
        shutil.copytree(self.forest / "seed", run / "init")
        self.refused("train", *options, "--init", run / "init", "--tokens-from", self.folder / "nowhere", says="nowhere")
        self.assertEqual([path.name for path in run.iterdir()], ["init"])
        shutil.rmtree(run)
        btm("train", *options, "--tokens-from", self.forest / "tokens/cpp")
        self.refused("train", *options, "--tokens-from", self.folder / "nowhere", says="a run is there already")
        self.assertTrue((run / "result.json").exists())

    # ---- text

    def text(self, name, data):
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return f"domains.cpp.text={path}"

    def test_missing_text(self):
        self.grow_refused("nowhere", f"domains.cpp.text={self.folder}/nowhere.txt")
        self.assertFalse(self.forest.exists())

    def test_empty_domain(self):
        self.grow_refused("cpp", self.text("empty.txt", ""))

    def test_document_with_no_text(self):
        self.grow_refused("cpp", self.text("blank.jsonl", '{"text": ""}\n{"text": "  "}\n'))

    def test_domain_too_small_for_a_batch(self):
        write_lines(self.folder / "small.jsonl.gz", [f"word {i}" for i in range(5)])
        self.grow_refused("cpp", f"domains.cpp.text={self.folder}/small.jsonl.gz")

    def test_binary_file(self):
        self.grow_refused("blob", self.text("blob.txt", bytes(range(256)) * 100))

    def test_broken_json_line_is_named_by_file_and_line(self):
        self.grow_refused("bad.jsonl:2", self.text("bad.jsonl", '{"text": "one"}\n{"text": \n'))

    def test_truncated_gzip(self):
        whole = gzip.compress(os.urandom(50_000).hex().encode())
        self.grow_refused(["cut.txt.gz", "truncated"], self.text("cut.txt.gz", whole[: len(whole) // 2]))

    def test_truncated_zstd(self):
        source = self.folder / "whole.txt"
        source.write_text("".join(os.urandom(40).hex() + "\n" for _ in range(2000)))
        subprocess.run(["zstd", "-q", source, "-o", self.folder / "whole.txt.zst"], check=True)
        data = (self.folder / "whole.txt.zst").read_bytes()
        self.grow_refused(["cut.txt.zst", "truncated"], self.text("cut.txt.zst", data[: len(data) // 2]))

    def test_invalid_utf8_is_repaired_and_counted_not_fatal(self):
        with gzip.open(self.folder / "cpp.jsonl.gz", "rt", encoding="utf-8") as file:
            pieces = [json.loads(line)["text"] for line in file]
        folder = self.folder / "latin"
        folder.mkdir()
        for i, piece in enumerate(pieces):
            (folder / f"{i:04}.txt").write_bytes(b"caf\xe9 " + piece.encode())
        btm("grow", self.plan, "--set", f"domains.cpp.text={folder}")
        report = json.loads((self.forest / "tokens/cpp/domain.json").read_text())
        self.assertEqual(report["invalid_utf8"], len(pieces))

    def test_vocabulary_larger_than_the_text_gives(self):
        write_lines(self.folder / "tiny.jsonl.gz", [f"ab {'ab' * i}" for i in range(40)])
        self.grow_refused("vocab_size", "tokenizer.vocab_size=30000", f"domains.cpp.text={self.folder}/tiny.jsonl.gz",
                          f"domains.python.text={self.folder}/tiny.jsonl.gz")

    # ---- files of a forest

    def damaged(self, path, damage):
        """The file with the damage done, put back afterwards."""
        whole = path.read_bytes()
        self.addCleanup(lambda: path.parent.exists() and path.write_bytes(whole))
        path.unlink()  # it may share its bytes with another by a hard link
        path.write_bytes(damage(whole))

    def test_corrupt_files_of_a_forest(self):
        btm("grow", self.plan)
        cut = lambda data: data[: len(data) // 2]
        cases = [
            ("experts/cpp/model.safetensors", cut, ["evaluate", self.forest, "--tokens-per-domain", "2k"], "model.safetensors"),
            ("experts/cpp/model.safetensors", lambda d: b"\xff" * 8 + d[8:], ["generate", self.forest / "experts/cpp", "--prompt", "x"], "model.safetensors"),
            ("tokenizer/tokenizer.json", cut, ["tokenize", "--tokenizer", self.forest / "tokenizer", self.plan], "tokenizer.json"),
            ("log.jsonl", lambda d: b"not json\n" + d, ["ls", self.forest], "log.jsonl"),
            ("tokens/cpp/test.idx", cut, ["evaluate", self.forest, "--tokens-per-domain", "3k"], "test.idx"),
        ]
        for name, damage, command, says in cases:
            with self.subTest(name=name, command=command[0]):
                path = self.forest / name
                whole = path.read_bytes()
                path.unlink()
                path.write_bytes(damage(whole))
                self.refused(*command, says=says)
                path.write_bytes(whole)

    def test_options_that_would_be_ignored_are_refused(self):
        for option in ("--top-k", "--domain", "--budget"):
            self.refused("average", "a", "b", "--output", self.folder / "mean", option, "1", says=[option, "--weights"])
        model = self.folder / "model"
        model.mkdir()
        (model / "config.json").write_text("{}")
        for option in (["--domain", "cpp"], ["--prior", "uniform"], ["--with-seed"], ["--top-experts", "1"], ["--drop-below", "0.1"]):
            self.refused("generate", model, "--prompt", "a", *option, says=[str(model), "one model"])
        for option in ("--tokens", "--tokenizer", "--init"):
            self.refused("train", self.folder / "run", option, "1", says=[option, "--output"])
        for number in ("0", "2x", "99999999999"):
            self.refused("train", self.folder / "run", "--threads", number, says=["--threads", "at least 1", "btm train --help"])
        self.refused("grow", "", says=["PLAN", "empty"])
        self.refused("ls", model, "more", says=["more", "btm ls --help"])

    def test_nothing_else_is_replaced(self):
        btm("grow", self.plan, "--set", "compare=[]")
        keep = self.folder / "thesis"
        keep.mkdir()
        (keep / "chapter.txt").write_text("words")
        self.refused("prepare", "--tokenizer", self.forest / "tokenizer", "--text", self.folder / "cpp.jsonl.gz",
                     "--output", self.forest, says=[str(self.forest), "domain.json"])
        self.refused("branch", self.forest, "cpp", "--from", "uniform", "--output", keep, says=[str(keep), "average.json"])
        self.refused("branch", self.forest, "cqq", "--from", "uniform", "--output", self.folder / "init", says="'cqq'")
        self.assertEqual((keep / "chapter.txt").read_text(), "words")
        self.assertTrue((self.forest / "seed/model.safetensors").exists())

    def test_repairs_of_text_are_told(self):
        btm("grow", self.plan, "--set", "cycles=[]", "--set", "compare=[]")
        latin = self.folder / "latin.txt"
        latin.write_bytes(b"caf\xe9")
        done = btm("tokenize", "--tokenizer", self.forest / "tokenizer", latin)
        self.assertIn("latin.txt: not valid UTF-8", done.stderr)

    def test_a_folder_without_a_tokenizer(self):
        self.refused("tokenize", "--tokenizer", self.folder, says=[f"{self.folder}/tokenizer.json: not there", "save_pretrained"])

    def test_an_average_needs_a_folder_and_one_parent_none(self):
        btm("grow", self.plan, "--set", "compare=[]")
        self.refused("branch", self.forest, "cpp", "--from", "uniform", says=["2 parents", "--output"])
        self.refused("branch", self.forest, "cpp", "--output", "", says=["--output", "empty"])
        parent = json.loads(btm("branch", self.forest, "cpp", "--from", "argmax", "--json").stdout)
        self.assertEqual(parent["weights"], str(self.forest / "experts/cpp"))

    def test_an_expert_of_a_domain_that_the_plan_does_not_name_has_no_baseline(self):
        btm("grow", self.plan, "--set", "compare=[]")
        run = self.folder / "c"
        btm("prepare", "--tokenizer", self.forest / "tokenizer", "--text", self.folder / "c.jsonl.gz", "--output", self.forest / "tokens/c")
        btm("train", "--output", run, "--init", self.forest / "seed", "--tokens-from", self.forest / "tokens/c", "--tokens", "10k",
            "--set", "training.batch_tokens=512", "--quiet")
        self.refused("merge", self.forest, run, "--domain", "pyton", says=["--domain pyton", "did you mean 'python'?"])
        self.assertFalse((self.forest / "experts/c").exists())
        btm("merge", self.forest, run, "--domain", "c")
        btm("grow", self.plan, "--set", "compare=[]")
        self.grow_refused(["compare", "'c'", "domains.c.text"])
        btm("grow", self.plan, "--set", f"domains.c.text={self.folder}/c.jsonl.gz")
        dense = json.loads((self.forest / "comparisons/dense/expert.json").read_text())
        self.assertEqual(set(dense["domains"]), {"python", "cpp", "c"})

    def test_what_is_damaged_is_no_parent(self):
        btm("grow", self.plan, "--set", "compare=[]")
        path = self.forest / "experts/cpp/model.safetensors"
        whole = path.read_bytes()
        path.unlink()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        init = self.folder / "init"
        self.refused("branch", self.forest, "python", "--from", "uniform", "--output", init, says=["experts/cpp", "btm verify"])
        self.assertFalse(init.exists())
        for sources in (["--forest", self.forest, "python", "cpp"], [path.parent, self.forest / "experts/python"],
                        ["--forest", self.forest, "--weights", "uniform"]):
            self.refused("average", *sources, "--output", init, says=["experts/cpp", "damaged"])
            self.assertFalse(init.exists())

    def test_results_that_are_none_are_made_anew(self):
        btm("grow", self.plan, "--set", "compare=[]")
        results = self.forest / "results/evaluation.json"
        for text in ("{}", "{", '{"rows": [{"model": 3}]}'):
            results.write_text(text)
            self.refused("report", self.forest, says="evaluation.json")
        results.write_text("{")
        self.assertIn("ensemble", btm("grow", self.plan, "--set", "compare=[]").stdout)

    def test_a_plan_that_does_not_fit_is_not_recorded(self):
        btm("grow", self.plan, "--set", "compare=[]")
        recorded = (self.forest / "forest.yaml").read_bytes()
        self.grow_refused("nowhere", "tokenizer.from=nowhere")  # it has one of its own
        self.grow_refused("nowhere", "model.from=nowhere")
        self.grow_refused("another recipe", "training.random_seed=7")
        self.grow_refused(["python", "another recipe"], "cycles.0.tokens=30k")
        self.assertEqual((self.forest / "forest.yaml").read_bytes(), recorded)

    def test_nothing_is_removed_that_can_not_be_trained_again(self):
        btm("grow", self.plan, "--set", "compare=[]")
        (self.forest / "forest.yaml").write_text("cycles: [")
        self.refused("remove", self.forest, "cpp", "--retrain", says="forest.yaml")
        self.assertTrue((self.forest / "experts/cpp/model.safetensors").exists())

    def test_nothing_is_removed_whose_children_would_have_no_parent(self):
        self.edit_plan("  - {experts: [python, cpp], tokens: 20k, branch: {from: seed}}",
                       "  - {experts: [python], tokens: 20k}\n  - {experts: [cpp], tokens: 20k, branch: posterior}")
        btm("grow", self.plan, "--set", "compare=[]")
        self.refused("remove", self.forest, "python", "--retrain", "-y", says=["cycles[1].branch", "posterior", "nothing was removed"])
        for name in ("python", "cpp"):
            self.assertTrue((self.forest / f"experts/{name}/model.safetensors").exists())
        self.assertIn("nothing to do", btm("grow", self.plan, "--set", "compare=[]").stderr)

    def test_nothing_is_removed_whose_children_no_plan_trains(self):
        btm("grow", self.plan, "--set", "compare=[]")
        run = self.folder / "run"
        btm("train", "--init", self.forest / "experts/cpp", "--tokens-from", self.forest / "tokens/numpy", "--tokens", "10k",
            "--output", run, "--set", "training.batch_tokens=512")
        btm("merge", self.forest, run, "--name", "mine")
        self.refused("remove", self.forest, "cpp", "--retrain", "-y", says=["mine", "--descendants", "nothing was removed"])
        (self.folder / "cpp.jsonl.gz").rename(self.folder / "away.gz")
        btm("remove", self.forest, "mine", "-y")
        self.refused("remove", self.forest, "cpp", "--retrain", "-y", says=["domain cpp", "no such file"])
        self.assertTrue((self.forest / "experts/cpp/model.safetensors").exists())

    def test_folders_that_are_no_forests_are_left_alone(self):
        own = self.forest / "tokenizer"
        own.mkdir(parents=True)
        (own / "tokenizer.json").write_text("mine")
        for dry in ([], ["--dry-run"]):
            self.refused("grow", self.plan, *dry, says=[str(own), "forest"])
        self.assertEqual([path.name for path in self.forest.rglob("*")], ["tokenizer", "tokenizer.json"])
        self.assertEqual((own / "tokenizer.json").read_text(), "mine")

    def test_expert_of_another_tokenizer_or_shape(self):
        btm("grow", self.plan)
        for name, override in (("other", "tokenizer.sample_bytes=50k"), ("wide", "model.width=48")):
            other = self.folder / name
            btm("grow", self.plan, "--set", f"forest={other}", "--set", override, "--set", "compare=[]")
            if name == "other":
                new = self.folder / "new"
                self.refused("train", "--output", new, "--init", self.forest / "seed", "--tokens-from", other / "tokens/cpp",
                             "--tokens", "10k", says=[str(other / "tokens/cpp"), "another tokenizer"])
                self.refused("train", "--output", new, "--init", self.forest / "seed", "--tokenizer", other / "tokenizer",
                             "--tokens-from", other / "tokens/cpp", "--tokens", "10k", says=[str(self.forest / "seed"), "tokenizer"])
                self.assertFalse(new.exists())
                again = self.folder / "again"  # as transformers would write it
                shutil.copytree(self.forest / "seed", again)
                (again / "tokenizer.json").write_text(json.dumps(json.loads((again / "tokenizer.json").read_text())))
                train = ["train", "--output", new, "--init", again, "--tokens-from", self.forest / "tokens/cpp", "--tokens", "10k"]
                self.refused(*train, says=["another tokenizer", "--tokenizer"])
                btm(*train, "--tokenizer", self.forest / "tokenizer", "--quiet")
            run = self.folder / f"run-{name}"
            (run / "model").mkdir(parents=True)
            for file in (other / "experts/cpp").iterdir():
                if file.name not in ("expert.json", "metrics.jsonl"):
                    shutil.copy(file, run / "model" / file.name)
            self.refused("average", other / "experts/cpp", self.forest / "experts/python", "--output", self.folder / "mean",
                         says=["averaged", "tokenizer" if name == "other" else "48"])
            self.assertFalse((self.folder / "mean").exists())

    def test_unknown_expert_names_the_nearest(self):
        btm("grow", self.plan)
        self.refused("show", self.forest, "pyton", says="python")
        for option in (["--domain", "cpp"], ["--with-seed"], ["--top-experts", "1"], ["--drop-below", "0.1"]):
            for one in ("--expert", "--average"):
                self.refused("generate", self.forest, one, "cpp", "--prompt", "a", *option, says=[f"{one} cpp", "one model"])
        self.refused("generate", self.forest, "--prompt", "a", "--prior", "updating", says=["--prior updating", "btm posterior"])
        self.refused("average", "--forest", self.forest, "--weights", "uniform", "--top-k", "1", "--output", self.folder / "mean",
                     says=["uniform", "--top-k"])

    def test_a_new_run_needs_a_place_of_its_own(self):
        btm("grow", self.plan, "--set", "compare=[]")
        other = self.folder / "other"
        (other / "model").mkdir(parents=True)
        (other / "model/important.txt").write_text("x")
        for output, says in ((other, "no run"), (self.forest / "seed", "keeps what is its own in seed"),
                             (self.forest / "experts/new", "keeps what is its own in experts")):
            self.refused("train", "--output", output, "--init", self.forest / "seed", "--tokens-from", self.forest / "tokens/cpp",
                         "--tokens", "10k", says=says)
        self.assertEqual((other / "model/important.txt").read_text(), "x")
        self.refused("report", self.forest, "--output", self.forest / "results/files", says="keeps what is its own in results")
        btm("export", self.forest, "cpp", "--output", self.folder / "cpp.btm")
        btm("remove", self.forest, "cpp")
        self.refused("import", self.forest, self.folder / "cpp.btm", "--name", "dense", says="what a baseline is called")
        self.refused("remove", self.forest, "cpp", "--retrain", "--descendants", says="--descendants")
        btm("verify", self.forest)

    def test_what_lies_below_its_own_text(self):
        btm("grow", self.plan, "--set", "compare=[]")
        text = self.folder / "text"
        text.mkdir()
        shutil.copy(self.folder / "cpp.jsonl.gz", text)
        for _ in range(2):  # the second time its output is there
            made = btm("prepare", "--tokenizer", self.forest / "tokenizer", "--text", text, "--output", text / "tokens", "--json")
            self.assertEqual(json.loads(made.stdout)["files"], 1)
        shutil.rmtree(text / "tokens")
        self.forest.rename(text / "forest")
        btm("evaluate", text / "forest", "--text", f"all={text}/*")

    def test_names_that_are_not_utf8(self):
        btm("grow", self.plan, "--set", "compare=[]")
        moved = f"{self.folder}/l{os.fsdecode(bytes([0xe9]))}"
        os.rename(self.forest, moved)
        self.refused("ls", moved, "--json", says="UTF-8")

    @unittest.skipUnless(os.environ.get("FAULT_INJECTOR"), "the memory of a sanitizer's own would be limited, too")
    def test_a_new_run_without_enough_memory_leaves_nothing(self):
        btm("grow", self.plan, "--set", "cycles=[]", "--set", "compare=[]")
        run = self.folder / "run"
        command = [BTM, "train", "--output", run, "--tokenizer", self.forest / "tokenizer", "--tokens-from",
                   self.forest / "tokens/cpp", "--tokens", "10k", "--quiet", "--set", "model.width=4194304", "--set", "model.heads=2"]
        limit = 8 << 30
        done = subprocess.run(command, capture_output=True, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("memory", done.stderr)
        self.assertFalse(run.exists())

    # ---- the disk

    def test_read_only_folder(self):
        # Root may write anywhere but where a file is in the way of the folder.
        (self.folder / "forest").write_text("a file")
        self.refused("grow", self.plan, says=str(self.forest))

    def test_no_space_left(self):
        mount = self.folder / "small-disk"
        mount.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", mount], capture_output=True)
        if made.returncode != 0:
            self.skipTest("no right to mount a small disk here")
        try:
            message = self.refused("grow", self.plan, "--set", f"forest={mount}/forest", says="no space left")
            self.assertIn("free", message)
        finally:
            subprocess.run(["umount", mount], check=True)

    def test_a_full_device_takes_no_output(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([BTM, "doctor", "--json"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("standard output", done.stderr)

    def test_wrong_usage(self):
        self.assertEqual(btm("grow", code=2).returncode, 2)
        self.refused("growe", self.plan, says=["growe", "did you mean 'grow'?"])
        self.refused("nonsense", says=["nonsense", "btm --help"])

    def test_a_file_that_can_not_be_put_in_place_leaves_nothing(self):
        btm("grow", self.plan, "--set", "compare=[]")
        there = self.folder / "there"
        there.mkdir()
        self.refused("export", self.forest, "cpp", "--output", there, says=str(there))
        self.assertEqual([path.name for path in self.folder.iterdir() if path.suffix == ".tmp"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
