"""btm verify on a forest that has everything: seed, experts, comparisons, results, a finished run and one in progress."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from support import BTM, ForestCase, btm

DAMAGE = os.environ.get("DAMAGE_FOREST", "build/release/tests/plan/damage_forest")


class Verify(ForestCase):
    def setUp(self):
        super().setUp()
        self.edit_plan("compare: [dense]", "compare: [dense, demix]")
        btm("grow", self.plan)

    def findings(self, code=0):
        result = json.loads(btm("verify", self.forest, "--json", code=code).stdout)
        return {kind: [item["file"] for item in items] for kind, items in result.items() if isinstance(items, list)}

    def start_run(self, name, *options, tokens):
        return subprocess.Popen([BTM, "train", "--quiet", "--output", self.forest / "runs" / name, "--tokens", tokens,
                                 "--tokens-from", self.forest / "tokens/python", "--threads", "1",
                                 "--set", "training.batch_tokens=512", "--set", f"tensorboard={self.forest}/tensorboard/{name}",
                                 *options], stderr=subprocess.DEVNULL)

    def add_runs(self):
        self.assertEqual(self.start_run("done", "--init", self.forest / "seed", tokens="5k").wait(60), 0)
        began_from = hashlib.sha256((self.forest / "seed/model.safetensors").read_bytes()).hexdigest()
        self.assertIn(f"init_sha256: {began_from}\n", (self.forest / "runs/done/run.yaml").read_text())
        init = self.forest / "runs/begun/init"
        init.parent.mkdir()
        btm("branch", self.forest, "python", "--weights", "python=1", "--weights", "cpp=1", "--output", init)
        run = self.start_run("begun", "--init", init, "--set", "training.checkpoint_minutes=0.001", tokens="100M")
        while len(list(self.forest.glob("runs/begun/checkpoints/[0-9]*"))) < 2 and run.poll() is None:
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        self.assertEqual(run.wait(60), 130)

    def test_names_every_damaged_file(self):
        btm("evaluate", self.forest)
        btm("report", self.forest, "--html", self.folder / "report.html")
        self.add_runs()
        self.assertEqual(sum(self.findings()[kind] != [] for kind in ("damaged", "missing", "unexpected", "unchecked")), 0)
        done = subprocess.run([DAMAGE, self.forest], capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout.strip())

    def test_beside_others_at_work(self):
        shutil.rmtree(self.forest)
        grow = subprocess.Popen([BTM, "grow", self.plan, "--quiet", "--set", "training.checkpoint_minutes=0.0005"],
                                stdout=subprocess.DEVNULL)
        while grow.poll() is None:
            if (self.forest / "forest.yaml").exists():
                found = self.findings()
                self.assertEqual(found["unexpected"] + found["unchecked"], [])
        self.assertEqual(grow.returncode, 0)

    def test_folders_and_what_to_do(self):
        shutil.rmtree(self.forest / "experts/cpp")
        shutil.rmtree(self.forest / "tokens/python")
        (self.forest / "comparisons/dense/model.safetensors").write_bytes(b"")
        done = btm("verify", self.forest, code=1)
        self.assertRegex(done.stdout, r"missing +experts/cpp: .*btm remove")
        self.assertRegex(done.stdout, r"missing +tokens/python: .*btm grow")
        self.assertRegex(done.stdout, r"damaged +comparisons/dense/model.safetensors: .*delete .*btm grow")
        self.assertEqual(done.stderr.strip().splitlines()[-1],
                         f"btm: {self.forest}: 3 files damaged or missing; what to do is said with each")
        shutil.rmtree(self.forest / "comparisons/dense")
        btm("grow", self.plan, code=2)  # the expert
        self.assertIn("no forest there", btm("verify", self.folder / "nothing", code=2).stderr)

    def test_a_run_without_a_result_goes_with_its_published_model(self):
        run = self.forest / "runs/seed"  # as a seed without training leaves it, or a model that was taken over
        shutil.copytree(self.forest / "seed", run / "model")
        (run / "metrics.jsonl").touch()
        btm("grow", self.plan)
        self.assertFalse(run.exists())
        self.assertEqual(self.findings()["missing"], [])

    def test_what_was_made_anew_is_whole(self):
        damaged = ["comparisons/dense/metrics.jsonl", "tensorboard/cpp/events.out.tfevents.btm", "results/evaluation.json"]
        damaged += [str(path.relative_to(self.forest)) for path in list(self.forest.glob("results/scores/*"))[:3]]
        for name in damaged:
            with open(self.forest / name, "r+b") as file:
                file.seek(40)
                file.write(b"\x01")
        self.assertEqual(sorted(self.findings(code=1)["damaged"]), sorted(damaged))
        shutil.rmtree(self.forest / "comparisons/dense")
        shutil.rmtree(self.forest / "tensorboard/cpp")
        for path in self.forest.glob("results/scores/*"):
            path.unlink()
        btm("grow", self.plan)
        self.assertEqual(self.findings()["damaged"], [])

    def test_sha256sum_agrees(self):
        os.utime(self.folder / "python.jsonl.gz")  # another domain.json, the same tokens
        before = (self.forest / "tokens/python/SHA256SUMS").read_text()
        self.assertIn("nothing to do", btm("grow", self.plan).stderr)
        self.assertNotEqual((self.forest / "tokens/python/SHA256SUMS").read_text(), before)
        self.assertEqual(self.findings()["damaged"], [])
        lists = list(self.forest.rglob("SHA256SUMS"))
        self.assertEqual(len(lists), 1 + 3 + 1 + 2 + 3)  # tokenizer, tokens, seed, experts, dense and two of DEMix
        for file in lists:
            subprocess.run(["sha256sum", "--check", "--strict", "--quiet", file.name], cwd=file.parent, check=True)
        for name in ("forest.yaml", "results/evaluation.json"):
            rest = [line for line in (self.forest / name).read_bytes().splitlines(True) if b"file_sha256" not in line]
            seal = re.search(rb"file_sha256\W+([0-9a-f]{64})", (self.forest / name).read_bytes())[1].decode()
            self.assertEqual(hashlib.sha256(b"".join(rest)).hexdigest(), seal, name)

    def test_older_forests_open_and_what_cannot_be_checked_is_told(self):
        for path in self.forest.rglob("SHA256SUMS"):
            path.unlink()
        for name in ("forest.yaml", "results/evaluation.json"):
            path = self.forest / name
            path.write_text("".join(line for line in path.read_text().splitlines(True) if "file_sha256" not in line))
        log = self.forest / "log.jsonl"
        log.write_text(re.sub(',"line_sha256":"[0-9a-f]*"', "", log.read_text()))
        for path in self.forest.glob("results/scores/*.scores"):
            path.write_bytes(re.sub(b',"line_sha256":"[0-9a-f]*"', b"", path.read_bytes(), count=1))
        found = self.findings()
        self.assertEqual(found["damaged"] + found["missing"] + found["unexpected"], [])
        self.assertLessEqual({"forest.yaml", "log.jsonl", "results/evaluation.json", "seed/SHA256SUMS",
                              "experts/cpp/SHA256SUMS", "tokenizer/SHA256SUMS"},
                             set(found["unchecked"]))
        self.assertIn("nothing to do", btm("grow", self.plan).stderr)
        for name in ("experts/cpp/model.safetensors", "tokens/cpp/dev.bin", "seed/tokenizer.json", "seed/expert.json"):
            path = self.forest / name
            whole = path.read_bytes()
            path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
            self.assertEqual(self.findings(code=1)["damaged"], [name])
            path.write_bytes(whole)


if __name__ == "__main__":
    unittest.main(verbosity=2)
