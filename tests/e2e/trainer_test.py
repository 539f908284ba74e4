"""Experts trained by somebody else's program: the PyTorch example, and programs that do it wrong."""
import gzip
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from support import BTM, ForestCase, btm

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/trainer/train.py"
COMMAND = (f"{sys.executable} {EXAMPLE} --init {{init}} --output {{output}} --count {{token_count}} --threads {{threads}} "
           "--tokens {tokens}")


class TrainerTest(ForestCase):
    def setUp(self):
        super().setUp()
        self.set_command(COMMAND)

    def set_command(self, command):
        kept = [line for line in self.plan.read_text().splitlines() if not line.startswith("trainer:")]
        self.plan.write_text("\n".join([*kept, f"trainer: {{command: {json.dumps(command)}}}"]) + "\n")

    def fail(self, command, *parts, code=2):
        self.set_command(command)
        error = btm("grow", self.plan, code=code).stderr
        for part in parts:
            self.assertIn(part, error)

    def test_the_example_trains_seed_expert_and_dense(self):
        self.edit_plan("experts: [python, cpp]", "experts: [python]")
        btm("grow", self.plan)
        infos = {path.parent.name: json.loads(path.read_text()) for path in self.forest.glob("**/expert.json")}
        self.assertEqual(set(infos), {"seed", "python", "dense"})
        seed = infos["seed"]
        expert = infos["python"]
        self.assertEqual([(parent["name"], parent["sha256"]) for parent in expert["parents"]], [("seed", seed["weights_sha256"])])
        self.assertEqual(expert["tokens"], 39 * 512)
        self.assertAlmostEqual(expert["flops"] / expert["tokens"], seed["flops"] / seed["tokens"])
        self.assertGreater(expert["device_seconds"], 0.5)
        self.assertEqual(expert["recipe"]["trainer"], COMMAND)
        weights = (self.forest / "experts/python/model.safetensors").read_bytes()
        self.assertEqual(hashlib.sha256(weights).hexdigest(), expert["weights_sha256"])
        self.assertLess(expert["dev_loss"], seed["dev_loss"] + 1)
        self.assertLess(seed["dev_loss"], 6.0, "random weights have 6.24")
        self.assertIn("nothing to do", btm("grow", self.plan).stderr)
        table = json.loads((self.forest / "results/evaluation.json").read_text())
        rows = {row["model"]: row["mean"]["train"]["perplexity"] for row in table["rows"]}
        self.assertLess(rows["ensemble"], rows["seed"])
        self.fail(COMMAND + " --learning-rate 1e-4", "trainer", "seed")  # another recipe

    def test_text_is_the_train_documents(self):
        with gzip.open(self.folder / "python.jsonl.gz", "at", encoding="utf-8") as file:
            for i in range(50):
                file.write(json.dumps({"text": f"a <|endoftext|> in a text {i}"}) + "\n")
        self.set_command(f"cat {{text}} > {self.folder}/seen.jsonl; cp {{init}}/* {{output}}")
        btm("grow", self.plan, "--set", "cycles=[{experts: [python], tokens: 20k}]", "--set", "compare=[]")
        lines = gzip.decompress((self.folder / "python.jsonl.gz").read_bytes()).decode().splitlines()
        texts = {json.loads(line)["text"] for line in lines}
        seen = [json.loads(line)["text"] for line in (self.folder / "seen.jsonl").read_text(encoding="utf-8").splitlines()]
        self.assertGreater(len(seen), len(texts) // 2)
        self.assertLess(len(seen), len(texts), "dev and test documents were given away")
        self.assertLessEqual(set(seen), texts)
        self.assertGreater(len([text for text in seen if text.startswith("a <|endoftext|>")]), 25)

    def test_what_goes_wrong_is_told(self):
        self.fail("true {inti} {output}", "{inti} is not known", "{init}")
        self.fail("train {init}", "no {output}")
        self.fail("exit 3 # {output}", "exit code 3", "seed", "log.txt")
        self.fail("true {output}", "config.json")
        self.fail("sed 's/\"n_embd\": 32/\"n_embd\": 16/' {init}/config.json > {output}/config.json; "
                  "cp {init}/model.safetensors {output}", "model.width is 16 there and 32")
        self.edit_plan("compare: [dense]", "compare: [demix]")
        self.fail(COMMAND, "compare: demix")
        self.assertFalse((self.forest / "seed").exists())

    def test_a_signal_reaches_the_trainer(self):
        started, ended = self.folder / "started", self.folder / "ended"
        self.set_command(f"trap 'touch {ended}; exit 1' TERM; touch {started} {{output}}/kept; for i in $(seq 600); do sleep 0.1; done")
        process = subprocess.Popen([BTM, "grow", str(self.plan)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not started.exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 130)
        self.assertTrue(ended.exists())
        self.assertTrue((self.forest / "runs/seed/output/kept").exists())
        self.assertEqual(json.loads((self.forest / "runs/seed/status.json").read_text())["state"], "interrupted")
        self.set_command("cp {init}/* {output}")  # another recipe: the run starts anew
        btm("grow", self.plan, "--set", "cycles=[]", "--set", "compare=[]")

    def test_a_trainer_that_outlives_a_killed_worker_keeps_the_run_locked(self):
        started, over = self.folder / "started", self.folder / "over"
        self.addCleanup(lambda: self.folder.exists() and over.touch())
        self.set_command(f"touch {{output}}/kept; (touch {started}; while [ ! -e {over} ]; do sleep 0.1; done); true")
        process = subprocess.Popen([BTM, "grow", str(self.plan)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not started.exists() and time.monotonic() < end:
            time.sleep(0.05)
        holder = (self.forest / "runs/seed/lock").read_text().split()[0]
        os.kill(int(holder), signal.SIGKILL)  # its shell is told to end with it, what that one started is not
        self.assertEqual(process.wait(timeout=60), 1)
        self.fail("cp {init}/* {output}", "already at work", "runs/seed/lock")
        over.touch()
        end = time.monotonic() + 60
        while subprocess.run(["flock", "-n", self.forest / "runs/seed/lock", "true"]).returncode and time.monotonic() < end:
            time.sleep(0.1)
        btm("grow", self.plan, "--set", "cycles=[]", "--set", "compare=[]")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    unittest.main(verbosity=2)
