"""One model trained by several processes over MPI: the losses of one process, stops and resumes, by hand and by grow."""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

from support import BTM, ForestCase, btm

ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_rmaps_base_oversubscribe": "1", "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
               "ASAN_OPTIONS": "detect_leaks=0"}  # Open MPI's plugins leave memory behind


class RanksTest(ForestCase):
    def setUp(self):
        super().setUp()
        btm("grow", self.plan, "--set", "seed.tokens=0", "--set", "cycles=[]")  # tokenizer and tokens
        self.settings = ["--tokenizer", self.forest / "tokenizer", "--tokens-from", self.forest / "tokens/python",
                         self.forest / "tokens/cpp", "--threads", "1"]
        for setting in ("layers=2", "width=32", "heads=2", "context=32"):
            self.settings += ["--set", f"model.{setting}"]
        self.settings += ["--set", "training.batch_tokens=512", "--set", "training.dev_tokens=512",
                          "--set", "training.precision=fp32"]  # bf16 would round what other orders of sums differ in

    def start(self, ranks, *args):
        command = ["mpirun", "-np", ranks, "--bind-to", "none", BTM, "train", *args, "--quiet", "--mpi"]
        return subprocess.Popen([str(word) for word in command], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)

    def train(self, ranks, *args, code=0):
        process = self.start(ranks, *args)
        output, _ = process.communicate(timeout=200)
        self.assertEqual(process.returncode, code, output)
        return output

    def metrics(self, run):
        return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

    def assert_same_losses(self, run, other):
        mine, theirs = self.metrics(run), self.metrics(other)
        self.assertEqual([line["update"] for line in mine], list(range(1, len(theirs) + 1)))
        for a, b in zip(mine, theirs):
            self.assertLess(abs(a["loss"] / b["loss"] - 1), 2e-4, f"loss of update {a['update']}")
            if a["update"] <= 20:  # later a gradient that is large for once is large in its rounding, too, and weights part
                self.assertLess(abs(a["gradient_norm"] / b["gradient_norm"] - 1), 1e-5, f"gradient's norm of update {a['update']}")

    def test_losses_are_those_of_one_process(self):
        for family in ("gpt2", "llama"):
            options = [*self.settings, "--tokens", "30k", "--set", f"model.architecture={family}"]
            alone = self.folder / f"{family}-1"
            btm("train", "--output", alone, *options, "--quiet")
            for ranks in (2, 4):
                run = self.folder / f"{family}-{ranks}"
                self.train(ranks, "--output", run, *options)
                self.assert_same_losses(run, alone)
                result = json.loads((run / "result.json").read_text())
                self.assertEqual(result["threads"], ranks)
                self.assertAlmostEqual(result["dev_loss"], json.loads((alone / "result.json").read_text())["dev_loss"], places=4)
        # Two threads of each rank train its one sequence together.
        together = ["2" if word == "1" else word for word in options] + ["--set", "training.batch_tokens=64"]
        btm("train", "--output", self.folder / "together-1", *options, "--set", "training.batch_tokens=64", "--quiet")
        self.train(2, "--output", self.folder / "together-2", *together)
        self.assert_same_losses(self.folder / "together-2", self.folder / "together-1")
        # More ranks than sequences of a batch: some have nothing to do.
        few = [*options, "--set", "training.batch_tokens=96"]
        btm("train", "--output", self.folder / "few-1", *few, "--quiet")
        self.train(4, "--output", self.folder / "few-4", *few)
        self.assert_same_losses(self.folder / "few-4", self.folder / "few-1")

    def test_the_same_ranks_give_the_same_bytes_and_other_ranks_go_on(self):
        options = [*self.settings, "--tokens", "200k"]
        whole, stopped = self.folder / "whole", self.folder / "stopped"
        self.train(2, "--output", whole, *options)
        process = self.start(2, "--output", stopped, *options)
        end = time.monotonic() + 60
        while not (stopped / "status.json").exists() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, output)
        saved = json.loads((stopped / "status.json").read_text())
        self.assertEqual(saved["state"], "interrupted")
        self.assertLess(saved["update"], saved["updates"])
        other = self.folder / "other"
        shutil.copytree(stopped, other)
        self.train(2, stopped)
        self.assertEqual((stopped / "model/model.safetensors").read_bytes(), (whole / "model/model.safetensors").read_bytes())
        self.train(3, other)
        self.assert_same_losses(other, whole)

    def test_an_error_of_one_rank_ends_all(self):
        run = self.folder / "broken"
        options = [*self.settings, "--tokens", "30k"]
        self.train(2, "--output", run, *options)
        self.assertIn("a run is there already", self.train(2, "--output", run, *options, code=2))
        self.train(2, "--output", self.folder / ("n" * 300), *options, code=2)  # what no Error of ours tells of

    def test_ranks_that_wait_for_the_run_are_interrupted_together(self):
        run = self.folder / "busy"
        self.train(2, "--output", run, *self.settings, "--tokens", "30k")
        (run / "result.json").unlink()
        with (run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = self.start(2, run, "--wait")
            for line in process.stdout:
                if "waiting for it" in line:
                    break
            process.send_signal(signal.SIGUSR1)
            output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, output)

    def test_grow_starts_the_ranks(self):
        shutil.rmtree(self.forest)
        self.plan.write_text(self.plan.read_text() + "launcher: {ranks: 2, workers: 1}\n")
        self.assertIn("seed: nosuchmpirun can't be started", btm("grow", self.plan, "--set", "launcher.mpi=nosuchmpirun", code=2).stderr)
        done = subprocess.run([BTM, "grow", str(self.plan)], env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("seed", "experts/python", "experts/cpp", "comparisons/dense"):
            info = json.loads((self.forest / name / "expert.json").read_text())
            self.assertEqual(info["threads"] % 2, 0, name)


if __name__ == "__main__":
    if not shutil.which("mpirun"):
        print("skipped: there is no mpirun; on Debian: apt-get install openmpi-bin libopenmpi-dev, and build again")
        sys.exit(77)
    unittest.main(verbosity=2)
