"""What the end-to-end tests share: the program, real text that every machine with the test set-up has, a small plan."""
import functools
import glob
import gzip
import json
import os
import pathlib
import subprocess
import sys
import sysconfig
import tempfile
import unittest

BTM = os.environ.get("BTM", "build/release/btm")


def btm(*args, code=0, **options):
    """Runs the program and checks its exit code; gives the finished process."""
    done = subprocess.run([BTM, *map(str, args)], capture_output=True, text=True, timeout=300, **options)
    if done.returncode != code:
        raise AssertionError(f"btm {' '.join(map(str, args))}: exit code {done.returncode}, not {code}\n"
                             f"{done.stdout}\n{done.stderr}")
    return done


def write_lines(path, documents):
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for document in documents:
            file.write(json.dumps({"text": document}) + "\n")


def take(pattern, size):
    """About `size` characters of the files of the pattern, in pieces of some thousand characters."""
    pieces, total = [], 0
    for name in sorted(glob.glob(pattern, recursive=True)):
        try:
            text = pathlib.Path(name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        for start in range(0, len(text), 5000):
            pieces.append(text[start : start + 5000])
            total += len(pieces[-1])
            if total > size:
                return pieces
    return pieces


@functools.cache
def text_files():
    """Name and bytes of each kind of program text: Python, C++, C and (novel) the Python of another package."""
    stdlib = sysconfig.get_paths()["stdlib"]
    site = sysconfig.get_paths()["purelib"]
    sources = {"python": (f"{stdlib}/*.py", 400_000), "cpp": ("/usr/include/c++/*/bits/*.h", 400_000),
               "c": ("/usr/include/*.h", 400_000), "numpy": (f"{site}/numpy/**/*.py", 200_000)}
    with tempfile.TemporaryDirectory(prefix="btm-e2e-") as name:
        folder = pathlib.Path(name)
        for domain, (pattern, size) in sources.items():
            write_lines(folder / f"{domain}.jsonl.gz", take(pattern, size))
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def make_text(folder):
    for name, content in text_files().items():
        (folder / name).write_bytes(content)


PLAN = """
forest: {folder}/forest
tokenizer: {{vocab_size: 512}}
model: {{architecture: gpt2, layers: 1, width: 32, heads: 2, context: 32}}
training: {{batch_tokens: 512, learning_rate: 5e-3, schedule: linear, dev_tokens: 512}}
domains:
  python: {{text: {folder}/python.jsonl.gz}}
  cpp: {{text: {folder}/cpp.jsonl.gz}}
  numpy: {{text: {folder}/numpy.jsonl.gz, role: novel}}
seed: {{tokens: 30k, domains: all, training: {{schedule: constant}}}}
cycles:
  - {{experts: [python, cpp], tokens: 20k, branch: {{from: seed}}}}
evaluate: {{tokens_per_domain: 4k, dev_sequences: 20, mixtures: [ensemble, top_1, average_uniform, average_posterior]}}
compare: [dense]
"""


class ForestCase(unittest.TestCase):
    """A folder of its own with text and plan for each test."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="btm-e2e-")
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name).resolve()
        make_text(self.folder)
        self.plan = self.folder / "forest.yaml"
        self.plan.write_text(PLAN.format(folder=self.folder))
        self.forest = self.folder / "forest"

    def edit_plan(self, old, new):
        text = self.plan.read_text()
        self.assertIn(old, text)
        self.plan.write_text(text.replace(old, new))

    def weights(self):
        """SHA-256 of every model of the forest."""
        import hashlib
        return {str(path.parent.relative_to(self.forest)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(self.forest.glob("**/model.safetensors")) if "runs" not in path.parts}

    def event_files(self):
        """Names of the models that TensorBoard shows; each has a step for each line of its metrics."""
        from tensorboard.backend.event_processing import event_accumulator
        names = set()
        for path in (self.forest / "tensorboard").iterdir():
            names.add(path.name)
            events = event_accumulator.EventAccumulator(str(path), {event_accumulator.SCALARS: 0}).Reload()
            places = (path.name, f"experts/{path.name}", f"comparisons/{path.name}",
                      f"comparisons/{path.name.replace('-', '/', 1)}", f"comparisons/{path.name}/*")
            metrics = next(file for place in places for file in self.forest.glob(f"{place}/metrics.jsonl"))
            lines = [json.loads(line) for line in metrics.read_text().splitlines()]
            assert [point.step for point in events.Scalars("loss")] == [line["update"] for line in lines]
        return names
