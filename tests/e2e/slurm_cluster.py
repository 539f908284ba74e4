"""A Slurm cluster on this machine: its own munge, slurmctld and several slurmd, without systemd, cgroups or /etc/slurm."""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"

# proctrack/cgroup, the default, needs a mounted hierarchy; config_overrides lets the nodes have more cores than the machine;
# a requeued job waits cred_expire + 1 seconds; %n keeps several slurmd apart.
CONFIG = """
ClusterName=btmtest
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp/%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ReturnToService=1
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=5
JobRequeue=1
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=0,bf_interval=2
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing_programs():
    return [program for program in PROGRAMS if not shutil.which(program, path=PATH)]


def free_ports(count):
    """The first of `count` free ports in a row, below those that the system gives away."""
    for _ in range(50):
        first = random.randrange(20000, 30000 - count)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise RuntimeError("no free ports for a Slurm cluster")


class Cluster:
    """Up when made; `environment` is what clients need. `folder` must have a short path: sockets lie there."""

    def __init__(self, folder, nodes=2, cpus=2):
        self.folder = pathlib.Path(folder)
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        for name in ("state", *(f"{kind}/{node}" for kind in ("spool", "tmp") for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o711)  # munge's clients must reach the socket
        port = free_ports(nodes + 1)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.config = self.folder / "slurm.conf"
        self.config.write_text(CONFIG.format(host=socket.gethostname().split(".")[0], user=user, folder=self.folder, port=port,
                                             first=port + 1, last=port + nodes, nodes=nodes, cpus=cpus))
        # Nothing here uses cgroups, but slurmd refuses to guess their version where none are mounted.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        # Open MPI 5 doesn't see by itself that two nodes of one address reach each other.
        self.environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(self.config), "OMPI_MCA_btl_tcp_if_include": "lo"}
        self._start_munge()
        self.run("slurmctld", "-f", self.config)
        for node in self.nodes:
            self.start_node(node)
        self.wait(lambda: len(self._idle()) == nodes, "the nodes to be idle")

    def _start_munge(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        old = os.umask(0o022)
        self.run("munged", "--key-file", key, "--socket", self.folder / "munge.sock", "--pid-file", self.folder / "munged.pid",
                 "--log-file", self.folder / "munged.log", "--seed-file", self.folder / "munged.seed")
        os.umask(old)

    def _idle(self):
        return set(self.run("sinfo", "-h", "-N", "-t", "idle", "-o", "%N", check=False).split())

    def run(self, *words, check=True):
        done = subprocess.run([str(word) for word in words], env=self.environment, capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s for {what}\n{self.run('squeue', '-a', '-t', 'all', check=False)}")
            time.sleep(0.1)

    def start_node(self, node):
        self.run("slurmd", "-N", node, "-f", self.config)

    def jobs(self, *options):
        """{job: state} of what squeue knows, array tasks apart."""
        lines = self.run("squeue", "-h", "-r", *options, "-o", "%i %T").splitlines()
        return dict(line.split() for line in lines)

    def _pid(self, name):
        path = self.folder / f"{name}.pid"
        return int(path.read_text()) if path.exists() and path.read_text().strip() else None

    def kill_node(self, node):
        """slurmd, as a crash would."""
        os.kill(self._pid(f"slurmd.{node}"), signal.SIGKILL)

    def stop(self):
        self.run("scancel", "--me", check=False)
        deadline = time.monotonic() + 10
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.1)
        for name in (*(f"slurmd.{node}" for node in self.nodes), "slurmctld", "munged"):
            pid = self._pid(name)
            if pid is None:
                continue
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
            end = time.monotonic() + 5
            while self._runs(pid) and time.monotonic() < end:
                time.sleep(0.05)
            if self._runs(pid):
                os.kill(pid, signal.SIGKILL)
        self._kill_orphans()

    @staticmethod
    def _runs(pid):
        """A zombie, whose parent has not looked yet, runs no more."""
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def _kill_orphans(self):
        """Steps and jobs outlive a killed slurmd."""
        mark = f"SLURM_CONF={self.config}".encode()
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                step = (process / "comm").read_text().strip() == "slurmstepd"
                ours = str(self.folder) in os.readlink(process / "cwd") if step else (
                    mark in (process / "environ").read_bytes() and b"SLURM_JOB_ID=" in (process / "environ").read_bytes())
                if ours and int(process.name) != os.getpid():
                    os.kill(int(process.name), signal.SIGKILL)
            except (OSError, ValueError):
                continue
