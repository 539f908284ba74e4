"""The power fails at any moment of `btm grow`: nothing that was published is damaged, and the forest can be finished to the same bytes.

What a disk holds then is worked out from what change_recorder.cpp recorded, as journaling file systems leave it: names
as far as the changes of names got, but of each file only what was synced; files that never were are empty.
KILLS (see faults_test.py): how many moments are gone on from; ten times as many are looked at."""
import os
import pathlib
import random
import shutil
import unittest

from faults_test import KILLS, SEED, FaultCase
from support import btm

RECORDER = os.environ.get("CHANGE_RECORDER")
# Written again all the time, for whoever watches; docs/reliability.md calls them exempt.
NOT_SYNCED = ("lock", "status.json", "log.txt")


class File:
    def __init__(self, folder=False):
        self.folder = folder
        self.synced = None  # the copy of what the last sync wrote; None: nothing


class Disk:
    """Names and synced bytes below a folder, after the first lines of a recording."""

    def __init__(self, copies):
        self.copies = copies
        self.files = {}
        self.unsynced_names = set()  # in folders that were not synced since

    def apply(self, line):
        kind, *fields = line.split("\t")
        getattr(self, kind)(*fields)

    def add(self, path, file):
        self.files[path] = file
        self.unsynced_names.add(path)

    def create(self, path):
        self.add(path, File())

    def create_folder(self, path):
        self.add(path, File(folder=True))

    def empty(self, path):
        self.files[path].synced = None

    def sync(self, path, copy):
        if path in self.files:  # else it was removed meanwhile
            self.files[path].synced = copy

    def sync_folder(self, path):
        self.unsynced_names = {name for name in self.unsynced_names if os.path.dirname(name) != path}

    def take(self, path):
        """Everything at the path and below it, away from there: {the rest of the name: (file, whether its name is unsynced)}."""
        taken = {}
        for name in [name for name in self.files if name == path or name.startswith(path + "/")]:
            taken[name[len(path):]] = self.files.pop(name), name in self.unsynced_names
            self.unsynced_names.discard(name)
        assert taken, f"{path} was never made"
        return taken

    def put(self, path, taken):
        for rest, (file, unsynced) in taken.items():
            self.files[path + rest] = file
            if unsynced or not rest:
                self.unsynced_names.add(path + rest)

    def rename(self, old, new):
        taken = self.take(old)
        if new in self.files:
            self.take(new)
        self.put(new, taken)

    def exchange(self, one, other):
        first, second = self.take(one), self.take(other)
        self.put(one, second)
        self.put(other, first)

    def link(self, old, new):
        self.add(new, self.files[old])

    def remove(self, path):
        self.take(path)

    def write(self):
        for path, file in sorted(self.files.items()):
            if file.folder:
                os.makedirs(path, exist_ok=True)
            elif file.synced:
                shutil.copy(self.copies / file.synced, path)
            else:
                pathlib.Path(path).touch()


@unittest.skipUnless(RECORDER, "sanitizers are preloaded themselves")
class PowerTest(FaultCase):
    tokens = "60k"

    def setUp(self):
        super().setUp()
        self.copies = self.folder / "copies"
        self.copies.mkdir()

    def record(self, *command):
        """Runs btm; the lines of the recording so far."""
        environment = dict(os.environ, LD_PRELOAD=os.path.abspath(RECORDER), BTM_CHANGES=str(self.copies),
                           BTM_CHANGES_BELOW=str(self.folder))
        btm(*command, env=environment)
        return (self.copies / "changes").read_text().splitlines()

    def cut_power(self, lines):
        shutil.rmtree(self.forest)
        self.disk_after(lines).write()

    def disk_after(self, lines):
        disk = Disk(self.copies)
        for line in lines:
            disk.apply(line)
        return disk

    def test_what_is_finished_is_on_the_disk(self):
        disk = self.disk_after(self.record("grow", self.plan))
        there = {str(path) for path in self.forest.rglob("*")} | {str(self.forest)}
        self.assertEqual(there, disk.files.keys())  # nothing escapes the recorder
        volatile = []
        for name, file in disk.files.items():
            path = pathlib.Path(name)
            if path.name in NOT_SYNCED:
                continue
            if not file.folder:
                synced = (self.copies / file.synced).read_bytes() if file.synced else b""
                if synced != path.read_bytes():
                    volatile.append(f"bytes of {path.relative_to(self.folder)}")
            if name in disk.unsynced_names and "tensorboard" not in path.parts:  # nobody misses it, and it is made again
                volatile.append(f"name of {path.relative_to(self.folder)}")
        self.assertEqual(volatile, [])

    def test_any_moment(self):
        lines = self.record("grow", self.plan)
        moments = random.Random(SEED).sample(range(1, len(lines)), min(10 * KILLS, len(lines) - 1))
        for count, moment in enumerate(moments):
            with self.subTest(after=lines[moment - 1], moment=moment):
                self.cut_power(lines[:moment])
                self.check_undamaged()
                if count % 10 == 0:
                    self.finish()
                    self.check()
        print(f"\n{len(moments)} of {len(lines)} moments", flush=True)

    def test_any_moment_of_a_removal(self):
        grown = len(self.record("grow", self.plan))
        lines = self.record("remove", self.forest, "cpp")
        outcomes = set()
        for moment in range(grown, len(lines) + 1):
            with self.subTest(after=lines[moment - 1], moment=moment):
                self.cut_power(lines[:moment])
                self.check_undamaged()
                btm("grow", self.plan)
                btm("verify", self.forest)
                outcomes.add((self.forest / "experts/cpp").exists())
        self.assertEqual(outcomes, {True, False})


if __name__ == "__main__":
    unittest.main(verbosity=2)
