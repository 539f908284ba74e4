"""Runs the test programs of a build under valgrind: valgrind.py BUILD [NAME ...]; names: core, generate, ... (default: all).

One start for each program, since valgrind takes seconds for it. What the oracles write must be there
already. Exit code 1 if valgrind finds an error or a lost block, or a test fails.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

VALGRIND = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--child-silent-after-fork=yes", "--fair-sched=yes",
            f"--suppressions={pathlib.Path(__file__).with_name('valgrind.supp')}"]


def programs(build: str) -> dict[str, dict[str, str]]:
    """{path of a program of GoogleTest's: the variables that its tests are given}."""
    listed = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True, capture_output=True)
    found = {}
    for test in json.loads(listed.stdout)["tests"]:
        if not any(word.startswith("--gtest_filter") for word in test.get("command", [])):
            continue
        properties = {entry["name"]: entry["value"] for entry in test["properties"]}
        found[test["command"][0]] = dict(entry.split("=", 1) for entry in properties.get("ENVIRONMENT", []))
    return found


def main() -> None:
    build, names = sys.argv[1], sys.argv[2:]
    failed = []
    for program, variables in sorted(programs(build).items()):
        name = pathlib.Path(program).name.removeprefix("test_")
        if names and name not in names:
            continue
        start = time.time()
        done = subprocess.run([*VALGRIND, program], env={**os.environ, **variables}, capture_output=True, text=True)
        last = [line for line in done.stdout.splitlines() if "PASSED" in line]
        print(f"{name}: {last[-1].strip() if last else 'did not end'}, exit code {done.returncode}, "
              f"{time.time() - start:.0f} s", flush=True)
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout[-4000:] + done.stderr[-8000:], flush=True)
    if failed:
        sys.exit(f"valgrind: {', '.join(failed)}")


if __name__ == "__main__":
    main()
