"""btm grow from text to table: what it makes, that it does nothing twice, goes on after a crash, takes additions."""
import fcntl
import json
import math
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from safetensors.numpy import load_file

from support import BTM, ForestCase, btm


class Grow(ForestCase):
    def test_grows_evaluates_and_does_nothing_twice(self):
        table = btm("grow", self.plan).stdout
        for word in ("ensemble", "dense", "best_single", "oracle", "seed"):
            self.assertIn(word, table)
        before = self.weights()
        self.assertEqual(set(before), {"seed", "experts/python", "experts/cpp", "comparisons/dense"})
        again = btm("grow", self.plan)
        self.assertIn("nothing to do", again.stderr)
        self.assertEqual(self.weights(), before)
        self.assertEqual(self.event_files(), {"seed", "python", "cpp", "dense"})

        evaluation = json.loads((self.forest / "results/evaluation.json").read_text())
        rows = {row["model"]: row for row in evaluation["rows"]}
        self.assertIn("| best_single", (self.forest / "results/evaluation.md").read_text())
        self.assertEqual(evaluation["domains"]["numpy"]["role"], "novel")
        for row in rows.values():  # bits per byte and perplexity are two views of the same loss
            for domain, value in row["domains"].items():
                self.assertGreater(value["perplexity"], 1)
                self.assertLess(value["perplexity"], 600)
                counts = evaluation["domains"][domain]
                self.assertAlmostEqual(value["bits_per_byte"] * counts["bytes"] * math.log(2),
                                       counts["tokens"] * math.log(value["perplexity"]), places=5)
        train = [row["domains"][d]["perplexity"] for row in [rows["ensemble"]] for d in ("python", "cpp")]
        self.assertAlmostEqual(rows["ensemble"]["mean"]["train"]["perplexity"], sum(train) / 2, places=6)
        dense = json.loads((self.forest / "comparisons/dense/expert.json").read_text())
        experts = [json.loads((self.forest / f"experts/{n}/expert.json").read_text()) for n in ("python", "cpp")]
        self.assertEqual(dense["tokens"] // 512, sum(e["tokens"] for e in experts) // 512, "equal training compute")

    def test_a_dry_run_tells_and_does_nothing(self):
        told = json.loads(btm("grow", self.plan, "--dry-run", "--json").stdout)
        self.assertFalse(self.forest.exists())
        steps = {step["name"]: step for step in told["steps"]}
        self.assertEqual({name: (step["models"], step["tokens"]) for name, step in steps.items()},
                         {"seed": (1, 58 * 512), "cycle 1": (2, 2 * 39 * 512), "dense": (1, 78 * 512)})
        btm("grow", self.plan, "--set", "compare=[]")
        seed = json.loads((self.forest / "seed/expert.json").read_text())
        self.assertEqual([steps["seed"][key] for key in ("tokens", "updates", "flops")], [seed[key] for key in ("tokens", "updates", "flops")])
        weights = os.path.getsize(self.forest / "seed/model.safetensors")
        self.assertLess(abs(told["parameters"] * 4 / weights - 1), 0.02)
        left = json.loads(btm("grow", self.plan, "--dry-run", "--json").stdout)
        self.assertEqual([step["models"] for step in left["steps"]], [0, 0, 1])
        self.assertLess(abs(left["disk_bytes"] / (weights + 3 * 3 * weights) - 1), 0.02)  # model; checkpoints: 2 kept, 1 new
        missing = btm("grow", self.plan, "--dry-run", "--set", "domains.cpp.text=nowhere.txt")
        self.assertIn("nowhere.txt: no such file", missing.stderr)
        for change in ("seed.tokens=40k", "cycles.0.tokens=30k", "model.layers=2"):
            for dry in (["--dry-run"], []):
                self.assertIn("another recipe", btm("grow", self.plan, "--set", change, *dry, code=2).stderr)

    def test_a_dry_run_counts_the_tokens_of_baselines(self):
        self.edit_plan("compare: [dense]", "compare: [dense, random_init, {model: dense, from: random}]")
        uneven = ["--set", "cycles.0.tokens=20.3k", "--set", "seed.tokens=30.6k"]
        told = json.loads(btm("grow", self.plan, "--dry-run", "--json", *uneven).stdout)
        btm("grow", self.plan, *uneven)
        for step in told["steps"][2:]:
            made = [json.loads(path.read_text()) for path in (self.forest / "comparisons" / step["name"]).rglob("expert.json")]
            self.assertEqual((step["models"], step["tokens"], step["updates"]),
                             (len(made), sum(each["tokens"] for each in made), sum(each["updates"] for each in made)), step)

    def test_a_dry_run_refuses_what_growing_refuses(self):
        btm("grow", self.plan)
        recorded = (self.forest / "forest.yaml").read_text()
        for change, says in (("compare=[{model: dense, training: {learning_rate: 1e-3}}]", "dense: trained with another recipe"),
                             ("tokenizer.vocab_size=400", "tokenizer.vocab_size"),
                             ("seed.domains=[cpp, python]", "the order of domains is python, cpp there")):
            for dry in (["--dry-run"], []):
                self.assertIn(says, btm("grow", self.plan, "--set", change, *dry, code=2).stderr)
        self.assertEqual((self.forest / "forest.yaml").read_text(), recorded)

    def test_a_checkpoint_that_cannot_be_the_seed_is_told_before_text_is_read(self):
        btm("grow", self.plan, "--set", "compare=[]")
        source = self.folder / "source"
        shutil.copytree(self.forest / "seed", source)
        weights = (source / "model.safetensors").read_bytes()
        from_source = ["--set", f"model={{from: {source}}}", "--set", f"forest={self.folder}/new", "--set", "compare=[]"]
        for content, says in ((weights[:-5], "truncated"), (None, "model.safetensors")):
            (source / "model.safetensors").unlink()
            if content:
                (source / "model.safetensors").write_bytes(content)
            for dry in (["--dry-run"], []):
                done = btm("grow", self.plan, *from_source, *dry, code=2)
                self.assertIn(says, done.stderr)
                self.assertNotIn("tokens:", done.stderr)

    def test_an_expert_trained_by_hand_is_the_plans(self):
        self.edit_plan("experts: [python, cpp]", "experts: [python]")
        btm("grow", self.plan, "--set", "compare=[]")
        same = ("batch_tokens=512", "learning_rate=5e-3", "schedule=linear", "dev_tokens=512")
        btm("train", "--output", self.folder / "cpp", "--init", self.forest / "seed", "--tokens-from", self.forest / "tokens/cpp",
            "--tokens", "20k", "--quiet", *(word for each in same for word in ("--set", f"training.{each}")))
        btm("merge", self.forest, self.folder / "cpp")
        self.edit_plan("experts: [python]", "experts: [python, cpp]")
        btm("grow", self.plan, "--set", "compare=[]")
        recipe = json.loads((self.forest / "experts/cpp/expert.json").read_text())["recipe"]
        self.assertEqual(recipe["domains"]["cpp"], json.loads((self.forest / "tokens/cpp/domain.json").read_text())["train_sha256"])

    def test_the_forest_is_no_text_of_its_own(self):
        for pattern in (".", "**/*.md"):
            shutil.rmtree(self.forest, ignore_errors=True)
            (self.folder / "README.md").write_text("".join(f"Line {i} of the folder's text.\n" for i in range(9000)))
            self.edit_plan(f"numpy: {{text: {self.folder}/numpy.jsonl.gz", f"numpy: {{text: \"{self.folder}/{pattern}\"")
            btm("grow", self.plan)
            self.assertIn("nothing to do", btm("grow", self.plan).stderr)
            self.edit_plan(f"numpy: {{text: \"{self.folder}/{pattern}\"", f"numpy: {{text: {self.folder}/numpy.jsonl.gz")

    def test_a_forest_of_any_name_is_trained_again_where_it_lies(self):
        self.edit_plan(f"forest: {self.folder}/forest", f"forest: \"{self.folder}/my #1 'x'\"")
        self.forest = self.folder / "my #1 'x'"
        self.edit_plan("\nevaluate:", "\n  - {experts: [c], tokens: 10k, branch: {from: uniform}}\nevaluate:")
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        btm("grow", self.plan)
        btm("remove", self.forest, "cpp", "--retrain", "--yes")
        self.assertTrue((self.forest / "experts/c").exists())
        self.assertFalse((self.folder / "my").exists())

    def test_results_go_with_the_experts_and_know_baselines_that_went(self):
        btm("grow", self.plan)
        shutil.rmtree(self.forest / "comparisons/dense")
        self.assertNotIn("dense", btm("grow", self.plan, "--set", "compare=[]").stdout)
        for name in ("python", "cpp"):
            btm("remove", self.forest, name)
        btm("grow", self.plan, "--set", "compare=[]")
        self.assertFalse((self.forest / "results/evaluation.json").exists())
        btm("report", self.forest, code=2)

    @unittest.skipUnless(os.environ.get("FAULT_INJECTOR"), "a sanitizer takes memory of its own")
    def test_a_dry_run_foretells_the_memory(self):
        larger = ["--set", "model.layers=6", "--set", "model.width=256", "--set", "model.context=256", "--set", "training.batch_tokens=8k",
                  "--set", "seed.tokens=17k", "--set", "cycles=[]", "--set", "launcher.threads=1"]
        told = json.loads(btm("grow", self.plan, "--dry-run", "--json", *larger).stdout)
        btm("grow", self.plan, "--set", "cycles=[]")  # for tokens
        run = self.folder / "run"
        command = [BTM, "train", "--output", run, "--tokenizer", self.forest / "tokenizer", "--tokens-from",
                   self.forest / "tokens/python", "--tokens", "17k", "--threads", "1", "--quiet", "--set", "model.layers=6", "--set",
                   "model.width=256", "--set", "model.heads=2", "--set", "model.context=256", "--set", "training.batch_tokens=8k"]
        process = subprocess.Popen([str(word) for word in command])
        _, process.returncode, usage = os.wait4(process.pid, 0)
        self.assertEqual(process.returncode, 0)
        self.assertLess(abs(usage.ru_maxrss * 1024 / told["memory_bytes"] - 1), 0.25)

    def test_what_can_not_fit_is_refused_before_the_work(self):
        huge = ["--set", "model.width=16384", "--set", "model.layers=64", "--set", "model.heads=64"]
        for dry in (["--dry-run"], []):
            error = btm("grow", self.plan, *huge, *dry, code=2).stderr
            self.assertRegex(error, r"training .* takes [\d.]+[GT]B each, and this machine has [\d.]+GB of memory; .*training.recompute")
        self.assertFalse(list(self.forest.glob("runs/*/run.yaml")))
        # One model fits, for the seed, but not the two of the cycle. What each of many threads has lets the disk have room longer,
        # even one of a quarter of the memory.
        for layers in range(1, 1000):
            large = ["--set", "model.width=1024", "--set", f"model.layers={layers}", "--set", "launcher.workers=2", "--set",
                     "launcher.threads=64", "--set", "training.keep_checkpoints=1", "--set", "compare=[]"]
            done = subprocess.run([BTM, "grow", self.plan, *large, "--dry-run"], capture_output=True, text=True)
            if done.returncode != 0:
                break
        self.assertRegex(done.stderr, "training 2 models at once takes .* lower launcher.workers")
        self.assertRegex(btm("grow", self.plan, *large, code=2).stderr, "training 2 models at once takes .* lower launcher.workers")
        self.assertFalse(list(self.forest.glob("runs/*/run.yaml")))

    def test_two_forests_of_one_plan_have_the_same_bytes(self):
        btm("grow", self.plan)
        btm("grow", self.plan, "--set", f"forest={self.folder}/other")
        first = self.weights()
        self.forest = self.folder / "other"
        self.assertEqual(self.weights(), first)

    def test_killed_at_random_moments_it_ends_with_the_same_bytes(self):
        btm("grow", self.plan, "--set", f"forest={self.folder}/undisturbed")
        rng = random.Random(1)
        for kill in [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL]:
            worker = subprocess.Popen([BTM, "grow", self.plan], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.3, 2.5))
            worker.send_signal(kill)
            code = worker.wait(60)
            if kill != signal.SIGKILL:
                self.assertIn(code, (0, 130, -kill))  # the last: before the program had begun
        # What has no effect on weights may be another one meanwhile.
        self.assertNotIn("starts anew", btm("grow", self.plan, "--set", "training.checkpoint_minutes=7").stderr)
        disturbed = self.weights()
        events = self.event_files()
        self.forest = self.folder / "undisturbed"
        self.assertEqual(self.weights(), disturbed)
        self.assertEqual(events, self.event_files())

    def test_waits_for_a_worker_that_a_killed_coordinator_left(self):
        """Its worker still saves: it holds the run's lock, and writes to the log."""
        run = self.forest / "runs/seed"
        run.mkdir(parents=True)
        (self.forest / "lock").touch()
        with (run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            grow = subprocess.Popen([BTM, "grow", self.plan], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.addCleanup(grow.kill)
            log = run / "log.txt"
            deadline = time.monotonic() + 60
            while not log.exists() or "waiting for it" not in log.read_text():
                self.assertIsNone(grow.poll())
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
        _, errors = grow.communicate(timeout=100)
        self.assertEqual(grow.returncode, 0, errors)

    def test_event_files_come_back_with_the_same_bytes(self):
        btm("grow", self.plan)
        files = sorted((self.forest / "tensorboard").glob("*/events.out.tfevents.*"))
        before = [file.read_bytes() for file in files]
        shutil.rmtree(self.forest / "tensorboard")
        self.assertIn("nothing to do", btm("grow", self.plan).stderr)
        self.assertEqual([file.read_bytes() for file in files], before)

    def test_what_a_killed_process_left_half_written_goes(self):
        for name in ("seed.1.tmp", "experts/cpp.1.tmp", "tokens/cpp.1.tmp", "comparisons/random_split/part_1.1.tmp"):
            (self.forest / name).mkdir(parents=True)
            (self.forest / name / "model.safetensors").write_bytes(b"torn")
        (self.forest / "lock").touch()
        btm("grow", self.plan)
        self.assertEqual(list(self.forest.glob("**/*.tmp")), [])
        run = self.forest / "runs/cpp"  # killed between the expert's publication and the removal of its run
        shutil.copytree(self.forest / "experts/cpp", run / "model")
        (run / "result.json").write_text("{}")
        btm("grow", self.plan)
        self.assertFalse(run.exists())
        shutil.copytree(self.forest / "experts/python", run / "model")  # another training's, under that name
        (run / "result.json").write_text("{}")
        btm("grow", self.plan)
        self.assertTrue((run / "model/model.safetensors").exists(), "weights that are nowhere else")

    def test_tokens_that_were_prepared_ahead_are_used(self):
        btm("grow", self.plan, "--set", "cycles=[]")
        other = self.folder / "other"
        for domain in ("python", "cpp"):
            btm("prepare", "--text", self.folder / f"{domain}.jsonl.gz", "--tokenizer", self.forest / "tokenizer", "--output", other / "tokens" / domain)
        made = os.stat(other / "tokens/cpp/train.bin").st_mtime_ns
        btm("grow", self.plan, "--set", "cycles=[]", "--set", f"forest={other}")
        self.assertEqual(os.stat(other / "tokens/cpp/train.bin").st_mtime_ns, made)

    def test_tokens_of_another_tokenizer_are_made_anew(self):
        btm("grow", self.plan, "--set", "cycles=[]")
        tokens = self.forest / "tokens/numpy"
        other = self.folder / "other"
        btm("grow", self.plan, "--set", "cycles=[]", "--set", "seed.tokens=0", "--set", f"forest={other}", "--set", "tokenizer.vocab_size=400")
        for domain in ("numpy", "cpp"):
            shutil.rmtree(self.forest / "tokens" / domain)
            shutil.copytree(other / "tokens" / domain, self.forest / "tokens" / domain)
        damaged = btm("verify", self.forest, code=1).stdout
        for domain in ("numpy", "cpp"):
            self.assertIn(f"tokens/{domain}/domain.json", damaged)
        refused = btm("grow", self.plan, "--set", "cycles=[]", code=2).stderr
        self.assertIn("domains.cpp: its tokens were made by another tokenizer", refused)
        shutil.rmtree(self.forest / "tokens/cpp")
        btm("grow", self.plan, "--set", "cycles=[]")
        made_by = json.loads((tokens / "domain.json").read_text())["tokenizer_sha256"]
        self.assertEqual(made_by, json.loads((self.forest / "tokens/cpp/domain.json").read_text())["tokenizer_sha256"])
        btm("verify", self.forest)

    def test_experts_from_random_weights_start_apart(self):
        self.edit_plan("branch: {from: seed}", "branch: {from: random}")
        barely = ["--set", "training.learning_rate=1e-12", "--set", "compare=[]"]
        btm("grow", self.plan, *barely)
        python, cpp = (load_file(self.forest / "experts" / name / "model.safetensors") for name in ("python", "cpp"))
        name = next(name for name in python if name.endswith("wte.weight"))
        self.assertGreater(abs(python[name] - cpp[name]).max(), 0.01)
        self.assertIn("nothing to do", btm("grow", self.plan, *barely).stderr)

    def test_added_cycle_trains_only_what_is_new(self):
        btm("grow", self.plan)
        before = self.weights()
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        self.edit_plan("evaluate:", "  - {experts: [c], tokens: 10k, branch: {from: posterior, top_k: 2, sequences: 8}}\nevaluate:")
        told = json.loads(btm("grow", self.plan, "--dry-run", "--json").stdout)
        self.assertEqual([(step["name"], step["models"]) for step in told["steps"]],
                         [("seed", 0), ("cycle 1", 0), ("cycle 2", 1), ("dense", 1)], "dense has to be trained anew, too")
        btm("grow", self.plan)
        after = self.weights()
        for name in ("seed", "experts/python", "experts/cpp"):
            self.assertEqual(after[name], before[name])
        self.assertIn("experts/c", after)
        shown = json.loads(btm("show", self.forest, "c", "--json").stdout)
        self.assertAlmostEqual(sum(p["weight"] for p in shown["parents"]), 1, places=9)
        self.assertEqual({p["name"] for p in shown["parents"]} - {"python", "cpp"}, set())

    def test_cycles_that_say_what_they_wait_for_overlap(self):
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n"
                                   f"  system: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        self.edit_plan("seed: {tokens: 30k, domains: all", "seed: {tokens: 30k, domains: [python, cpp]")
        self.edit_plan("  - {experts: [python, cpp], tokens: 20k, branch: {from: seed}}",
                       "  - {experts: [python], tokens: 400k}\n"
                       "  - {experts: [cpp], after: seed, tokens: 20k}\n"
                       "  - {experts: [c], after: cpp, tokens: 20k, branch: posterior}\n"
                       "  - {experts: [system], tokens: 20k, branch: uniform}")
        self.edit_plan("compare: [dense]", "compare: [random_init]")
        two_cores = {"preexec_fn": lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])}
        btm("grow", self.plan, "--set", "launcher.workers=2", **two_cores)
        merged = [json.loads(line)["expert"] for line in (self.forest / "log.jsonl").read_text().splitlines()]
        self.assertEqual(merged, ["cpp", "c", "python", "system"], "the long one of the first cycle was waited for")
        infos = {name: json.loads((self.forest / f"experts/{name}/expert.json").read_text()) for name in merged}
        # Branched from those that it waits for, whoever else is there.
        parents = {name: [parent["name"] for parent in info["parents"]] for name, info in infos.items()}
        self.assertEqual(parents, {"python": ["seed"], "cpp": ["seed"], "c": ["cpp"], "system": ["python", "cpp", "c"]})

        # With as many threads each, but others at the same time.
        btm("grow", self.plan, "--set", f"forest={self.folder}/other", "--set", "launcher.workers=4", **two_cores)
        before = self.weights()
        self.forest = self.folder / "other"
        self.assertEqual(self.weights(), before)

    def test_who_comes_late_has_the_threads_of_its_group(self):
        self.edit_plan("  numpy:", f"  c: {{text: {self.folder}/c.jsonl.gz}}\n  numpy:")
        self.edit_plan("seed: {tokens: 30k, domains: all", "seed: {tokens: 30k, domains: [python, cpp]")
        two_cores = {"preexec_fn": lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])}
        btm("grow", self.plan, "--set", "compare=[]", **two_cores)
        self.edit_plan("branch: {from: seed}}", "branch: {from: seed}}\n  - {experts: [c], after: [python, cpp], tokens: 20k, branch: uniform}")
        btm("grow", self.plan, "--set", "compare=[]", **two_cores)
        threads = {name: json.loads((self.forest / f"experts/{name}/expert.json").read_text())["threads"] for name in ("cpp", "c")}
        self.assertEqual(threads, {"cpp": 1, "c": 1})

    def test_changed_setting_of_something_published_is_refused(self):
        btm("grow", self.plan)
        before = self.weights()
        for old, new in (("tokens: 20k", "tokens: 30k"), ("vocab_size: 512", "vocab_size: 600"),
                         ("tokens: 30k, domains", "tokens: 40k, domains"), ("width: 32", "width: 64")):
            text = self.plan.read_text()
            self.edit_plan(old, new)
            message = btm("grow", self.plan, code=2).stderr
            self.assertEqual(len(message.strip().splitlines()[-1:]), 1)
            self.assertRegex(message, "set it back")
            self.plan.write_text(text)
        self.assertEqual(self.weights(), before)

    def test_works_whatever_it_inherits(self):
        def without_children(): signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        def without_stderr(): os.close(2)
        for inherits in (without_children, without_stderr):
            shutil.rmtree(self.forest, ignore_errors=True)
            subprocess.run([BTM, "grow", self.plan], preexec_fn=inherits, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           stdin=subprocess.DEVNULL, timeout=120, check=True)
            btm("verify", self.forest)
            self.assertNotIn("tokens", (self.forest / "lock").read_text())

    def test_watching_ends_with_its_reader(self):
        btm("grow", self.plan, "--set", "compare=[]")
        with subprocess.Popen([BTM, "ls", self.forest, "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            watch.stdout.readline()
            watch.stdout.close()
            self.assertEqual(watch.wait(timeout=60), 1)
            self.assertIn("Broken pipe", watch.stderr.read())
        with open("/dev/full", "w") as full:
            self.assertEqual(subprocess.run([BTM, "--help"], stdout=full, stderr=subprocess.DEVNULL, check=False).returncode, 2)

    def test_a_second_grow_at_the_same_time_is_refused(self):
        first = subprocess.Popen([BTM, "grow", self.plan], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.time() + 20
        while not os.path.exists(self.forest / "forest.yaml") and time.time() < deadline:
            time.sleep(0.05)
        self.assertIn("already at work", btm("grow", self.plan, code=2).stderr)
        self.assertEqual(first.wait(240), 0)

    def test_evaluates_anew_what_has_changed_and_only_then(self):
        self.edit_plan("compare: [dense]", "compare: []")
        table, text = self.forest / "results/evaluation.json", self.forest / "results/evaluation.md"
        settings = []

        def grow(anew, why):
            before = table.stat().st_mtime_ns if table.exists() else None
            said = btm("grow", self.plan, *settings).stderr
            self.assertEqual(table.stat().st_mtime_ns != before, anew, why)
            self.assertEqual("nothing to do" not in said, anew, why)

        def change(*words):
            for word in words:
                settings.extend(("--set", word))
            grow(True, words)
            grow(False, (*words, "again"))

        grow(True, "there was none")
        shown = text.read_bytes()
        text.unlink()
        grow(False, "only the table as text was gone")
        self.assertEqual(text.read_bytes(), shown)
        text.write_text("# of the table before\n")
        grow(False, "only the table as text was an older one's")
        self.assertEqual(text.read_bytes(), shown)
        table.write_text("{}")
        grow(True, "the table was damaged")
        btm("evaluate", self.forest, "--mixtures", "top_1")
        grow(True, "another table was made meanwhile")
        self.assertIn("average_posterior", text.read_text())
        change("evaluate.tokens_per_domain=2k")
        change("domains.numpy.role=train")
        change(f"domains.c={{text: {self.folder}/c.jsonl.gz, role: novel}}")
        shutil.copy(self.folder / "c.jsonl.gz", self.folder / "numpy.jsonl.gz")
        shutil.rmtree(self.forest / "tokens/numpy")
        grow(True, "a domain's text changed")
        change("compare=[dense]")
        btm("remove", self.forest, "cpp", "--yes")
        grow(True, "an expert went")
        grow(False, "again")

    def test_removed_expert_is_not_grown_again(self):
        btm("grow", self.plan)
        bundle = self.folder / "cpp.btm"
        btm("export", self.forest, "cpp", "--output", bundle)
        before, dense = self.weights(), self.forest / "comparisons/dense/model.safetensors"
        written = os.stat(dense).st_mtime_ns
        btm("remove", self.forest, "cpp", "--yes")
        self.assertNotIn("experts/cpp", self.weights())
        self.assertEqual(self.event_files(), {"seed", "python", "dense"})
        self.assertIn("was removed", btm("grow", self.plan).stderr)
        del before["experts/cpp"]
        self.assertEqual(self.weights(), before)
        self.assertEqual(os.stat(dense).st_mtime_ns, written, "trained again")
        told = json.loads(btm("grow", self.plan, "--dry-run", "--json").stdout)
        self.assertEqual([step["models"] for step in told["steps"]], [0, 0, 0])
        btm("import", self.forest, bundle)
        btm("remove", self.forest, "cpp", "--yes")
        self.assertIn("was removed", btm("grow", self.plan).stderr)
        self.assertNotIn("experts/cpp", self.weights())


if __name__ == "__main__":
    unittest.main(verbosity=2)
