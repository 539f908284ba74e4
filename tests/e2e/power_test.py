"""The power fails at any moment of `btm grow` or `btm remove`: nothing that was published is damaged, and the forest goes on to the
same bytes.

What a disk holds then is worked out from what change_recorder.cpp recorded. Of each file it is what was synced, nothing of those
that never were; names are either all that there were, as journaling file systems leave them, or those alone that a sync of their
folder wrote, as POSIX has it.
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
    synced = None  # the copy of what the last sync wrote; None: nothing


class Folder:
    def __init__(self):
        self.names, self.synced = {}, {}  # of files and folders: now, and at the last sync


class Disk:
    """What lies below a folder, after the first lines of a recording."""

    def __init__(self, root, copies, lines):
        self.path, self.copies, self.root = str(root), copies, Folder()
        for line in lines:
            kind, *fields = line.split("\t")
            getattr(self, kind)(*fields)

    def find(self, path):
        node = self.root
        for name in os.path.relpath(path, self.path).split("/"):
            node = node if name == "." else node.names[name]
        return node

    def place(self, path):
        """The names among which it is, and its own."""
        return self.find(os.path.dirname(path)).names, os.path.basename(path)

    def put(self, path, node):
        names, name = self.place(path)
        names[name] = node

    def create(self, path):
        self.put(path, File())

    def create_folder(self, path):
        self.put(path, Folder())

    def empty(self, path):
        self.find(path).synced = None

    def sync(self, path, copy):
        if os.path.basename(path) in self.place(path)[0]:  # else it was removed meanwhile
            self.find(path).synced = copy

    def sync_folder(self, path):
        folder = self.find(path)
        folder.synced = dict(folder.names)

    def rename(self, old, new):
        self.put(new, self.find(old))
        self.remove(old)

    def exchange(self, one, other):
        first, second = self.find(one), self.find(other)
        self.put(one, second)
        self.put(other, first)

    def link(self, old, new):
        self.put(new, self.find(old))

    def remove(self, path):
        names, name = self.place(path)
        del names[name]

    def files(self, synced_names):
        """{path below the root: the file or folder}"""
        found = {}

        def walk(folder, above):
            for name, node in (folder.synced if synced_names else folder.names).items():
                found[f"{above}{name}"] = node
                if isinstance(node, Folder):
                    walk(node, f"{above}{name}/")

        walk(self.root, "")
        return found

    def write(self, synced_names):
        for name, node in self.files(synced_names).items():
            path = pathlib.Path(self.path) / name
            if isinstance(node, Folder):
                path.mkdir()
            elif node.synced:
                shutil.copy(self.copies / node.synced, path)
            else:
                path.touch()


@unittest.skipUnless(RECORDER, "sanitizers are preloaded themselves")
class PowerTest(FaultCase):
    maxDiff = None
    tokens = "60k"

    def setUp(self):
        super().setUp()
        self.copies = self.folder / "copies"
        self.copies.mkdir()
        self.disk_folder = self.folder / "disk"
        self.disk_folder.mkdir()
        self.edit_plan(f"forest: {self.forest}", f"forest: {self.disk_folder}/forest")
        self.forest = self.disk_folder / "forest"

    def record(self, *command):
        """Runs btm; the lines of the recording so far."""
        environment = dict(os.environ, LD_PRELOAD=os.path.abspath(RECORDER), BTM_CHANGES=str(self.copies),
                           BTM_CHANGES_BELOW=str(self.disk_folder))
        btm(*command, env=environment)
        return (self.copies / "changes").read_text().splitlines()

    def cut_power(self, lines, synced_names):
        shutil.rmtree(self.disk_folder)
        self.disk_folder.mkdir()
        Disk(self.disk_folder, self.copies, lines).write(synced_names)
        self.check_undamaged()

    def check_all_is_synced(self, lines):
        """Bytes and names; whoever ran btm may pull the plug."""
        disk = Disk(self.disk_folder, self.copies, lines)
        there = {str(path.relative_to(self.disk_folder)) for path in self.disk_folder.rglob("*")}
        self.assertEqual(there, disk.files(synced_names=False).keys())  # nothing escapes the recorder
        synced, volatile = disk.files(synced_names=True), []
        for name, node in disk.files(synced_names=False).items():
            path, durable = self.disk_folder / name, synced.pop(name, None)
            if path.name in NOT_SYNCED:
                continue
            if durable is not node and "tensorboard" not in path.parts:  # nobody misses it, and it is made again
                volatile.append(f"name of {name}")
            if path.is_file() and (node.synced is None or (self.copies / node.synced).read_bytes() != path.read_bytes()):
                volatile.append(f"bytes of {name}")
        volatile += [f"removal of {name}" for name in synced if ".tmp" not in name]  # half-written ones may come back
        self.assertEqual(volatile, [])

    def test_growth(self):
        lines = self.record("grow", self.plan)
        self.check_all_is_synced(lines)
        moments = random.Random(SEED).sample(range(1, len(lines)), min(10 * KILLS, len(lines) - 1))
        for count, moment in enumerate(moments):
            for synced_names in (False, True):
                with self.subTest(after=lines[moment - 1], moment=moment, synced_names=synced_names):
                    self.cut_power(lines[:moment], synced_names)
                    if count % 10 == 0:
                        self.finish()
                        self.check()
        print(f"\n{len(moments)} of {len(lines)} moments", flush=True)

    def test_removal(self):
        grown = len(self.record("grow", self.plan))
        lines = self.record("remove", self.forest, "cpp")
        self.check_all_is_synced(lines)
        outcomes = set()
        for moment in range(grown, len(lines) + 1):
            for synced_names in (False, True):
                with self.subTest(after=lines[moment - 1], moment=moment, synced_names=synced_names):
                    self.cut_power(lines[:moment], synced_names)
                    btm("grow", self.plan)
                    btm("verify", self.forest)
                    outcomes.add((self.forest / "experts/cpp").exists())
        self.assertEqual(outcomes, {True, False})


if __name__ == "__main__":
    unittest.main(verbosity=2)
