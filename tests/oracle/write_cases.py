"""write_cases.py ROOT NAME...: NAME_cases.py writes the cases of NAME into ROOT/NAME. All in one process, since importing
transformers takes seconds."""

import importlib
import os
import pathlib
import sys

os.environ["OMP_NUM_THREADS"] = "1"
for name in sys.argv[2:]:
    folder = pathlib.Path(sys.argv[1]) / name
    folder.mkdir(parents=True, exist_ok=True)
    importlib.import_module(f"{name}_cases").main(folder)
