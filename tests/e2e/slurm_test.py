"""A forest grown on a Slurm cluster: the same bytes as at home, through lost nodes, time limits and a coordinator that dies."""
import getpass
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

import slurm_cluster
from support import BTM, ForestCase, btm

LONG = "tokens: 1500k"  # some seconds of training, so that there is time to disturb it


class SlurmCase(ForestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="btm-")
        cls.cluster = slurm_cluster.Cluster(cls.holder.name)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()
        cls.holder.cleanup()

    def setUp(self):
        super().setUp()
        self.program = os.path.abspath(BTM)
        self.edit_plan("dev_tokens: 512", "dev_tokens: 512, checkpoint_minutes: 0.01")
        self.plan.write_text(self.plan.read_text() + "launcher: {kind: slurm}\n")
        for node in self.cluster.nodes:
            self.cluster.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)

    def btm(self, *args, code=0):
        try:
            return btm(*args, code=code, env=self.cluster.environment, cwd=self.folder)
        except subprocess.TimeoutExpired as late:
            at_work = self.at_work()
            self.cluster.run("scancel", "--state=RUNNING,PENDING", "--user=" + getpass.getuser(), check=False)
            self.fail(f"{late}\n{at_work}")

    def at_work(self):
        """What the jobs' processes wait for, and what they wrote: why a command does not end."""
        processes = self.cluster.run("ps", "axo", "pid,ppid,stat,wchan:24,etime,args").splitlines()
        logs = [f"{log}:\n{log.read_text()[-4000:]}" for log in sorted(self.forest.glob("runs/*/log.txt"))]
        return "\n".join([line for line in processes if re.search("PID|btm|srun|slurmstepd|orted", line)] + logs)

    def grow_in_background(self, *args):
        process = subprocess.Popen([self.program, "grow", str(self.plan), *args], env=self.cluster.environment, cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def job_of(self, run):
        """Id of the job of a run that has begun to train."""
        folder = self.forest / "runs" / run
        self.cluster.wait(lambda: list(folder.glob("checkpoints/*")), f"{run} to train")
        return json.loads((folder / "slurm.json").read_text())["job"]

    def finished(self, process, code=0):
        output, _ = process.communicate(timeout=200)
        self.assertEqual(process.returncode, code, output)
        return output

    def weights_at_home(self, ranks=""):
        """Of the same plan grown by local processes of one thread."""
        text = self.plan.read_text()
        self.plan.write_text(re.sub("{kind: slurm.*}", "{kind: local, threads: 1%s}" % ranks, text).replace("/forest\n", "/home\n"))
        self.btm("grow", self.plan)
        self.plan.write_text(text)
        slurm, self.forest = self.forest, self.folder / "home"
        weights = self.weights()
        self.forest = slurm
        return weights


class GrowTest(SlurmCase):
    def test_same_bytes_as_at_home(self):
        self.btm("grow", self.plan)
        self.assertEqual(self.weights(), self.weights_at_home())
        self.assertEqual(list((self.forest / "runs").iterdir()), [], "something of the runs was left behind")
        self.assertIn("nothing to do", self.btm("grow", self.plan).stderr)

    @unittest.skipUnless(shutil.which("mpirun"), "there is no MPI")
    def test_ranks_on_two_nodes_give_the_bytes_of_ranks_at_home(self):
        self.plan.write_text(self.plan.read_text().replace("{kind: slurm}", "{kind: slurm, nodes: 2, ranks: 2}"))
        self.btm("grow", self.plan)
        expert = json.loads((self.forest / "experts" / "python" / "expert.json").read_text())
        self.assertEqual(expert["threads"], 2)
        with unittest.mock.patch.dict(self.cluster.environment, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1"):
            self.assertEqual(self.weights(), self.weights_at_home(", ranks: 2"))

    def test_submit_returns_and_the_jobs_do_the_rest(self):
        done = self.btm("grow", self.plan, "--submit", "--set", "seed.tokens=100k")
        self.assertIn("--watch", done.stderr)
        self.assertFalse((self.forest / "seed").exists(), "it did not return at once")
        self.cluster.wait((self.forest / "results/evaluation.json").exists, "the chain of jobs to end", 120)
        self.assertEqual(len(self.weights()), 4)
        self.cluster.wait(lambda: not self.cluster.jobs(), "the last job to end")

    def test_submit_needs_slurm(self):
        error = self.btm("grow", self.plan, "--submit", "--set", "launcher.kind=local", code=2).stderr
        self.assertIn("launcher.kind is local", error)


class DisturbedTest(SlurmCase):
    home = None  # weights of the plan at home

    def setUp(self):
        super().setUp()
        self.edit_plan("tokens: 20k", LONG)
        self.edit_plan("compare: [dense]", "compare: []")

    def weights_at_home(self):
        DisturbedTest.home = DisturbedTest.home or super().weights_at_home()
        return DisturbedTest.home

    def assert_each_update_once(self):
        """Of python's expert, however often it was sent again."""
        metrics = (self.forest / "experts/python/metrics.jsonl").read_text().splitlines()
        self.assertEqual([json.loads(line)["update"] for line in metrics], list(range(1, len(metrics) + 1)))

    def test_a_later_grow_picks_up_the_jobs_of_a_killed_one(self):
        first = self.grow_in_background()
        job = self.job_of("python")
        first.kill()
        second = self.grow_in_background("-v")
        time.sleep(1)
        self.assertEqual(self.job_of("python"), job, "the run was queued a second time")
        listing = self.btm("ls", self.forest).stdout
        self.assertIn(f"running (job {job})", listing)
        self.assertIn("last sign of life", listing)
        self.finished(second)
        self.assertEqual(self.weights(), self.weights_at_home())

    def test_ctrl_c_leaves_the_jobs_alone(self):
        grow = self.grow_in_background()
        job = self.job_of("cpp")
        grow.send_signal(signal.SIGINT)
        output = self.finished(grow, code=130)
        self.assertIn(f"scancel {job.split('_')[0]}", output)
        self.assertEqual(self.cluster.jobs()[job], "RUNNING")
        self.finished(self.grow_in_background())

    def test_a_time_limit_saves_and_queues_again(self):
        grow = self.grow_in_background()
        job = self.job_of("python")
        self.cluster.run("scancel", "--batch", "--signal=USR1", job)
        self.cluster.wait(lambda: self.cluster.jobs().get(job) == "PENDING", "the job to be queued again")
        saved = json.loads((self.forest / "runs/python/status.json").read_text())
        self.assertEqual(saved["state"], "interrupted")
        self.assertIn(f"saved, queued (job {job})", self.btm("ls", self.forest).stdout)
        self.finished(grow)
        self.assert_each_update_once()
        self.assertEqual(self.weights(), self.weights_at_home())

    def test_the_last_task_of_an_array_is_queued_again_alone(self):
        grow = self.grow_in_background()
        other, last = sorted((self.job_of("python"), self.job_of("cpp")))
        self.cluster.run("scancel", "--batch", "--signal=USR1", last)
        self.cluster.wait(lambda: self.cluster.jobs().get(last) == "PENDING", "the job to be queued again")
        self.assertNotEqual(self.cluster.jobs().get(other), "PENDING")
        self.finished(grow)
        self.assertEqual(self.weights(), self.weights_at_home())

    def test_a_lost_node_is_told_and_its_run_sent_again(self):
        self.edit_plan("kind: slurm", "kind: slurm, extra: [--no-requeue]")
        grow = self.grow_in_background()
        job = self.job_of("python")
        node = self.cluster.run("squeue", "-h", "-r", "-j", job, "-o", "%N").strip()
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        self.cluster.wait(lambda: "NODE_FAIL" in self.cluster.jobs("-t", "all")[job], "the node to be lost")
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=resume")
        output = self.finished(grow)
        self.assertRegex(output, r"(python|cpp): its job was lost \(NODE_FAIL\); it is sent again")
        self.assertEqual(self.weights(), self.weights_at_home())

    @unittest.skipUnless(shutil.which("mpirun"), "there is no MPI")
    def test_a_rank_that_dies_takes_the_others_with_it(self):
        self.edit_plan("kind: slurm", "kind: slurm, nodes: 2, ranks: 2")
        grow = self.grow_in_background()
        self.job_of("python")
        for process in subprocess.run(["pgrep", "-f", f"train {self.forest}/runs/python"], capture_output=True, text=True).stdout.split():
            if b"SLURM_PROCID=1\0" in pathlib.Path(f"/proc/{process}/environ").read_bytes():
                os.kill(int(process), signal.SIGKILL)
        output = self.finished(grow)
        self.assertRegex(output, r"python: its job ended with exit code \d+; it is sent again")
        self.assert_each_update_once()

    def test_a_cancelled_job_is_not_sent_again(self):
        grow = self.grow_in_background()
        job = self.job_of("python")
        self.cluster.run("scancel", job)
        output = self.finished(grow, code=1)
        self.assertRegex(output, r"python: its job was cancelled \(log: .*runs/python/log.txt")
        self.assertTrue((self.forest / "experts/cpp").exists(), "the other expert was not waited for")
        self.assertNotIn(job, [name for name, state in self.cluster.jobs("-t", "all").items() if state == "PENDING"])
        self.finished(self.grow_in_background())
        self.assertEqual(self.weights(), self.weights_at_home())

    def test_failures_have_a_limit_and_name_the_log(self):
        grow = self.grow_in_background()
        jobs = set()
        record, lock = self.forest / "runs/python/slurm.json", self.forest / "runs/python/lock"
        while grow.poll() is None:
            if record.exists() and (job := json.loads(record.read_text())["job"]) not in jobs and lock.exists():
                subprocess.run(["pkill", "-9", "-f", f"train {self.forest}/runs/python"], check=False)
                if self.cluster.jobs("-t", "all").get(job) == "FAILED":
                    jobs.add(job)
            time.sleep(0.05)
        output = self.finished(grow, code=1)
        self.assertEqual(len(jobs), 3, output)
        self.assertRegex(output, r"python: its job ended with exit code 137, 3 times in a row without progress \(log: .*log.txt")
        self.finished(self.grow_in_background())
        self.assertEqual(self.weights(), self.weights_at_home())


if __name__ == "__main__":
    missing = slurm_cluster.missing_programs()
    if missing:
        print(f"skipped: Slurm is not installed ({', '.join(missing)} missing); on Debian: apt-get install slurm-wlm munge")
        sys.exit(77)
    unittest.main(verbosity=2)
