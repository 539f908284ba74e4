"""Kills, full disks, clocks that jump, two coordinators: the forest that comes out has the bytes of an undisturbed one.

KILLS=100 (default 6): how many processes each kind of killing hits; SEED picks the moments. `make faults` runs it at length."""
import contextlib
import hashlib
import json
import mmap
import os
import pathlib
import random
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import slurm_cluster
from support import BTM, ForestCase, btm

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("SEED", "1"))
INJECTOR = os.environ.get("FAULT_INJECTOR")
CHECKPOINT_MINUTES = 0.005
PASSING = ("time", "tokens_per_second")  # in metrics: what no two trainings share


def fingerprint(forest):
    """What a forest holds, by file: all but times and speeds."""
    prints = {}
    for pattern in ("tokenizer/*", "tokens/*/*.bin", "tokens/*/*.idx", "seed/*", "experts/*/*", "comparisons/*/*"):
        for path in forest.glob(pattern):
            if path.suffix in (".bin", ".idx", ".safetensors") or path.name in ("tokenizer.json", "config.json"):
                prints[str(path.relative_to(forest))] = hashlib.sha256(path.read_bytes()).hexdigest()
            elif path.name == "metrics.jsonl":
                lines = [json.loads(line) for line in path.read_text().splitlines()]
                prints[str(path.relative_to(forest))] = [
                    {key: value for key, value in line.items() if key not in PASSING} for line in lines]
    evaluation = json.loads((forest / "results/evaluation.json").read_text())
    prints["results"] = {row["model"]: row["domains"] for row in evaluation["rows"]}
    return prints


def command_lines():
    """{process: its words} of all that run."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return found


def age(process):
    """Seconds since it was started."""
    started = int(pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return float(pathlib.Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")


class FaultCase(ForestCase):
    whole = None  # the fingerprint of an undisturbed forest
    tokens = "300k"  # a second or two for each model

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.environment = dict(os.environ)
        self.edit_plan("dev_tokens: 512", f"dev_tokens: 512, checkpoint_minutes: {CHECKPOINT_MINUTES}")
        self.edit_plan("tokens: 30k", f"tokens: {self.tokens}")
        self.edit_plan("tokens: 20k", f"tokens: {self.tokens}")
        self.plan.write_text(self.plan.read_text() + "launcher: {kind: local, threads: 1}\n")
        if FaultCase.whole is None:
            btm("grow", self.plan, "--set", f"forest={self.folder}/whole")
            FaultCase.whole = fingerprint(self.folder / "whole")

    def start(self):
        return subprocess.Popen([os.path.abspath(BTM), "grow", str(self.plan)], env=self.environment, cwd=self.folder,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def finish(self):
        """Lets btm go on undisturbed to the end, as often as it says that it can."""
        for _ in range(5):
            process = self.start()
            _, errors = process.communicate(timeout=300)
            if process.returncode == 0:
                return
        self.fail(f"the forest could not be finished: {errors}")

    def check(self):
        found = fingerprint(self.forest)
        self.assertEqual(found.keys(), self.whole.keys())
        for name, value in self.whole.items():
            self.assertEqual(found[name], value, name)
        btm("verify", self.forest)

    def check_undamaged(self):
        """Of a forest in whatever state."""
        if self.forest.exists():
            done = subprocess.run([BTM, "verify", str(self.forest), "--json"], capture_output=True, text=True)
            self.assertIn(done.returncode, (0, 1, 2), done.stderr)
            if done.returncode == 2:  # not a forest yet
                self.assertFalse(any((self.forest / name).exists() for name in ("log.jsonl", "seed", "experts")), done.stderr)
            if done.returncode == 1:  # a merge that was cut off between the expert's folder and its line in the log
                report = json.loads(done.stdout)
                self.assertEqual((report["damaged"], [finding["file"] for finding in report["missing"]]), ([], ["log.jsonl"]))

    def victims(self):
        """{kind: [(process, what it works on)]} of the forest that can be killed now."""
        kinds = {"grow": [], "train": []}
        for process, words in command_lines().items():
            if words[0] != os.path.abspath(BTM) or len(words) < 3:
                continue
            if words[1] in kinds and words[2].startswith(str(self.folder)):
                kinds[words[1]].append((process, pathlib.Path(words[2])))
        return kinds

    def kill(self, kind):
        """Kills one of the kind; the seconds of training that are lost (at most: since its start), or None if there is none."""
        victims = self.victims()[kind]
        if not victims:
            return None
        process, work = self.random.choice(sorted(victims))
        with contextlib.suppress(OSError):
            lost = age(process)
            os.kill(process, signal.SIGKILL)
            saved = [time.time() - path.stat().st_mtime for path in work.glob("checkpoints/*[0-9]")]
            return min([lost, *saved])
        return None


class KillTest(FaultCase):
    def disturb(self, ways, longest=2.5):
        """Kills in the ways {name: function that gives the seconds of training that it took, or None}, anew whenever a forest is finished."""
        hits, forests, lost = dict.fromkeys(ways, 0), 0, []
        grow = self.start()
        while sum(hits.values()) < KILLS:
            time.sleep(self.random.uniform(0, longest))
            way = self.random.choice(sorted(ways))
            seconds = ways[way]()
            if seconds is not None:
                hits[way] += 1
                lost += [seconds] if way == "train" else []
            if grow.poll() is not None:
                errors = grow.stderr.read()
                grow.stderr.close()
                if grow.returncode == 0:
                    self.check()
                    forests += 1
                    self.forest.rename(self.folder / f"finished{forests}")
                else:
                    self.assertIn(grow.returncode, (-signal.SIGKILL, 1), errors)
                    self.check_undamaged()
                grow = self.start()
        grow.communicate(timeout=300)
        self.finish()
        self.check()
        forests += 1
        print(f"\n{sum(hits.values())} kills {hits}, {forests} forests with the same bytes"
              + (f"; at most {max(lost):.2f} s of training lost, checkpoints every {60 * CHECKPOINT_MINUTES:.1f} s" if lost else ""),
              flush=True)

    def test_local(self):
        self.disturb({kind: lambda kind=kind: self.kill(kind) for kind in ("grow", "train")})

    @unittest.skipIf(slurm_cluster.missing_programs(), "Slurm is not installed")
    def test_slurm(self):
        self.edit_plan("kind: local, threads: 1", "kind: slurm")
        with tempfile.TemporaryDirectory(prefix="btm-") as folder:
            cluster = slurm_cluster.Cluster(folder)
            try:
                self.environment = cluster.environment

                def crash_node():
                    node = self.random.choice(cluster.nodes)
                    cluster.kill_node(node)
                    time.sleep(self.random.uniform(0, 2))
                    cluster.start_node(node)
                    return 0.0

                self.disturb({"grow": lambda: self.kill("grow"), "train": lambda: self.kill("train"), "slurmd": crash_node})
            finally:
                cluster.stop()


@unittest.skipUnless(INJECTOR, "sanitizers are preloaded themselves")
class InjectedTest(FaultCase):
    """With the fault injector preloaded."""

    def setUp(self):
        super().setUp()
        faults = self.folder / "faults"
        faults.write_bytes(struct.pack("qq", -1, 0))
        with faults.open("r+b") as file:
            self.faults = mmap.mmap(file.fileno(), 16)
        self.addCleanup(self.faults.close)
        self.environment.update(LD_PRELOAD=os.path.abspath(INJECTOR), BTM_FAULTS=str(faults),
                                BTM_FAULTS_BELOW=str(self.forest))

    def set_faults(self, room=-1, clock=0):
        struct.pack_into("qq", self.faults, 0, room, clock)

    def test_disk_that_fills_up_at_any_write(self):
        """Room for a few writes more each time: it stops at another place of the work, until the forest is whole."""
        stops, steps = 0, 0
        while True:
            room = self.random.randrange(1, (30 + stops) * max(1, 50 // KILLS))
            self.set_faults(room=room)
            process = self.start()
            _, errors = process.communicate(timeout=300)
            left = struct.unpack_from("q", self.faults)[0]
            if process.returncode == 0:
                break
            self.assertEqual(left, 0, errors)
            self.assertIn(process.returncode, (1, 2), errors)
            self.assertRegex(errors, "no space left|is the disk full", f"after {room} writes")
            self.set_faults()
            self.check_undamaged()
            stops += 1
            steps += room
        self.set_faults()
        self.finish()
        self.check()
        print(f"\n{stops} full disks, {steps} writes between them", flush=True)

    def test_clock_that_jumps(self):
        process = self.start()
        jumps = 0
        while process.poll() is None:
            self.set_faults(clock=self.random.choice((-1, 1)) * self.random.choice((5, 3600, 86400 * 400)))
            jumps += 1
            time.sleep(0.1)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 0, errors)
        self.check()
        self.assertGreater(jumps, 10)


class CoordinatorsTest(FaultCase):
    def test_the_second_one_leaves_the_forest_alone(self):
        first = self.start()
        lock, refused = self.forest / "lock", 0
        while not (lock.exists() and lock.read_text().startswith(f"{first.pid} on ")):
            time.sleep(0.01)
        while first.poll() is None:
            second = self.start()
            _, errors = second.communicate(timeout=300)
            if second.returncode == 2:
                self.assertRegex(errors, r"already at work \(process \d+ on ")
                refused += 1
                time.sleep(0.05)
            else:
                self.assertEqual(second.returncode, 0, errors)  # came when the first had just ended
        _, errors = first.communicate()
        self.assertEqual(first.returncode, 0, errors)
        self.assertGreater(refused, 3)
        self.check()


if __name__ == "__main__":
    unittest.main(verbosity=2)
