"""Run all tests that this machine can run: ``python -m tests [pytest arguments]``.

The whole suite runs on SQLite; what touches the database runs once more on each database that answers. Arguments are
passed on to pytest, for all databases. Environment:

``SCHEDULED_TASKS_TEST_REQUIRE``: services whose absence is a failure, e.g. ``postgres,mariadb,redis,browser``.
``SCHEDULED_TASKS_TEST_PROFILES``: databases to run on, e.g. ``sqlite,postgres``; default: all that answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.profiles import PROFILES, SERVICES, needs_of, required

PURE = ("tests/schedules", "tests/planner", "tests/docs", "tests/browser", "tests/example_project", "tests/packaging")
"""Folders that do not depend on the database, or take long; they run on SQLite only."""


def main(arguments: list[str]) -> int:
    """Run pytest for each database; return the first exit code that is not 0."""
    there = {name for name, answers in SERVICES.items() if answers()}
    if missing := sorted(required() - there):
        print(f"Required by SCHEDULED_TASKS_TEST_REQUIRE, but not here: {', '.join(missing)}.", file=sys.stderr)
        return 1
    wanted = os.environ.get("SCHEDULED_TASKS_TEST_PROFILES", ",".join(PROFILES)).split(",")
    names = [name for name in wanted if needs_of(name) <= there]
    for old in Path().glob(".coverage*"):
        old.unlink()
    for name in names:
        print(f"== {name}", flush=True)
        if code := _pytest(name, arguments):
            return code
    code = 0
    if not arguments:
        code = subprocess.run([sys.executable, "-m", "coverage", "report"], check=False).returncode
    absent = sorted(set(SERVICES) - there)
    left_out = f"Left out, since not on this machine: {', '.join(absent)}." if absent else "Nothing was left out."
    print(f"Ran on {', '.join(names)}. {left_out}")
    return code


def _pytest(profile: str, arguments: list[str]) -> int:
    environment = os.environ | {"SCHEDULED_TASKS_TEST_PROFILE": profile}
    command = [sys.executable, "-m", "pytest", "-q", "-n", os.environ.get("SCHEDULED_TASKS_TEST_WORKERS", "auto")]
    command += ["--dist", "worksteal"]
    if not arguments:
        # What is covered is only known when all have run.
        command += ["--cov", "--cov-append", "--cov-report=", "--cov-fail-under=0"]
    if profile != "sqlite":
        command += [f"--ignore={folder}" for folder in PURE]
    # pytest's 5: nothing was collected, e.g. since all that was asked for is left out here.
    code = subprocess.run([*command, *arguments], env=environment, check=False).returncode
    return 0 if code == 5 and profile != "sqlite" else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
