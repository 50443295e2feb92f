"""Run the tests: ``python -m tests [pytest arguments]``, which is what ``make test`` does.

All tests run on one database: PostgreSQL with Redis as broker, or SQLite where these do not answer. Those marked
``every_database`` run also on the other databases that answer. Those marked ``slow`` are left to ``make nightly``
(:mod:`tests.nightly`). The last line says what was left out. Arguments are passed on to pytest. Environment:

``SCHEDULED_TASKS_TEST_REQUIRE``: services whose absence is a failure, e.g. ``postgres,mariadb,redis,browser``.
``SCHEDULED_TASKS_TEST_PROFILES``: databases to run on, e.g. ``sqlite,postgres``, the one for all tests first, or
``postgres|sqlite``, the first of these that answers; default: all that answer.
``SCHEDULED_TASKS_TEST_SCOPE``: which tests the first database is for; default: ``all`` (:mod:`tests.selection`).
``SCHEDULED_TASKS_TEST_NIGHTLY``: ``1`` for slow tests too, and for everything that uses a database on every database.
``SCHEDULED_TASKS_TEST_ROOMS``: ``some`` for only :data:`FURTHER_ROOMS` on databases that do not run all tests.
``SCHEDULED_TASKS_TEST_WORKERS``: how many processes of pytest run at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.profiles import SERVICES, needs_of, required
from tests.selection import IS_NIGHTLY, SCOPE

ORDER = ("postgres", "sqlite", "mariadb")
"""The databases; the first one that answers runs all tests."""
WORKERS = 2 * (os.cpu_count() or 1)
"""Processes of pytest at once: more than cores, since those that come first wait for schedulers and workers."""


FURTHER_ROOMS = (
    *("chaos/test_whole_way.py", "db", "engines", "models", "runner", "scheduler", "store"),
    *("services/delivery", "services/running", "services/scheduling", "services/starting"),
)
"""What the gate runs on further databases: what claims, locks and writes at once. The rest is for the night."""
IN_SOME_ROOMS = os.environ.get("SCHEDULED_TASKS_TEST_ROOMS", "") == "some"
FAST_COVERAGE = {"COVERAGE_CORE": "sysmon"} if sys.version_info >= (3, 12) and not IS_NIGHTLY else {}
"""Counts lines at next to no cost, on Pythons that can do so; branches, which double the time, are counted at night."""


LIMIT = ["--fail-under=95"] if IS_NIGHTLY else []
"""Of branches and lines together; that of lines alone is in ``pyproject.toml``."""


def main(arguments: list[str]) -> int:
    """Run pytest for each database; return the first exit code that is not 0."""
    there = {name for name, answers in SERVICES.items() if answers()}
    if missing := sorted(required() - there):
        print(f"Required by SCHEDULED_TASKS_TEST_REQUIRE, but not here: {', '.join(missing)}.", file=sys.stderr)
        return 1
    wanted = os.environ.get("SCHEDULED_TASKS_TEST_PROFILES", ",".join(ORDER)).split(",")
    choices = [[name for name in words.split("|") if needs_of(name) <= there] for words in wanted]
    names = [choice[0] for choice in choices if choice]
    if not names:
        print(f"No database of {', '.join(wanted)} answers.", file=sys.stderr)
        return 1
    # What is covered is only known when all have run, and the limit is for a run that has PostgreSQL in it.
    is_measured = not arguments and SCOPE == "all" and "postgres" in names
    for old in Path().glob(".coverage*"):
        old.unlink()
    for number, name in enumerate(names):
        scope = _further(name) if number else SCOPE
        print(f"== {name}: {_described(scope)}", flush=True)
        if code := _pytest(name, scope, arguments, is_measured=is_measured):
            return code
    code = 0
    if is_measured:
        code = subprocess.run([sys.executable, "-m", "coverage", "report", *LIMIT], check=False).returncode
    print(_last_line(names, there))
    return code


def _further(profile: str) -> str:
    """Return which tests a database is for that is not the first one; SQLite has the other broker, and is quick."""
    if IS_NIGHTLY:
        return "database"
    return "every_database,every_broker" if profile == "sqlite" else "every_database"


def _described(scope: str) -> str:
    return {"all": "all tests", "database": "what uses the database"}.get(
        scope, f"tests marked {scope.replace(',', ' or ')}"
    )


def _last_line(names: list[str], there: set[str]) -> str:
    left_out = [] if IS_NIGHTLY else ["tests marked slow, which make nightly runs"]
    if absent := sorted(set(SERVICES) - there):
        left_out.append(f"what needs {', '.join(absent)}, which this machine does not have")
    return f"Ran on {', '.join(names)}. Left out: {'; '.join(left_out) or 'nothing'}."


def _that_say(words: list[str]) -> list[str]:
    """Return the modules of :data:`FURTHER_ROOMS` in which one of *words* stands."""
    places = [Path("tests", room) for room in FURTHER_ROOMS]
    modules = (path for place in places for path in ([place] if place.is_file() else place.rglob("test_*.py")))
    return sorted(str(path) for path in modules if any(word in path.read_text() for word in words))


def _pytest(profile: str, scope: str, arguments: list[str], *, is_measured: bool) -> int:
    environment = {"SCHEDULED_TASKS_TEST_PROFILE": profile, "SCHEDULED_TASKS_TEST_SCOPE": scope}
    command = [sys.executable, "-m", "pytest", "-q", "--dist", "loadfile", "--no-loadscope-reorder"]
    command += ["-n", os.environ.get("SCHEDULED_TASKS_TEST_WORKERS", str(WORKERS))]
    if is_measured:
        command += ["--cov", "--cov-append", "--cov-report=", "--cov-fail-under=0", *["--cov-branch"] * IS_NIGHTLY]
        environment |= FAST_COVERAGE
    is_by_day = IN_SOME_ROOMS and scope not in {"all", "database"}
    if is_by_day and all(argument.startswith("-") for argument in arguments):
        command += _that_say(scope.split(","))
    code = subprocess.run([*command, *arguments], env=os.environ | environment, check=False).returncode
    # pytest's 5: nothing was collected, e.g. since all that was asked for is for another database.
    return 0 if code == 5 and (scope != "all" or arguments) else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
