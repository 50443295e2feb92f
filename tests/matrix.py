"""Run each pair of Python and Django on each database and broker, and projects that differ: ``python -m tests.matrix``.

Words choose rows that have all of them (``python -m tests.matrix py313 mariadb``), ``plain`` those without a variant.
The table is written to stdout as Markdown, row by row; what pytest says is kept in ``.tox/matrix``. A row runs in the
environment of tox that is called as its pair, which tox makes when it is first needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.profiles import PROFILES, SERVICES, needs_of
from tests.variants import VARIANTS

PAIRS = (
    *("py311-dj52", "py312-dj52", "py312-dj60", "py312-dj61", "py313-dj52", "py313-dj60", "py313-dj61"),
    *("py314-dj52", "py314-dj60", "py314-dj61"),
)
NEWEST = "py313-dj61"
DATABASES, BROKERS = ("sqlite", "postgres", "mariadb"), ("orm", "redis")
PLACES = {
    "alias": ("mariadb", "orm"),
    "asgi": ("postgres", "redis"),
    "atomic": ("sqlite", "orm"),
    "naive": ("postgres", "redis"),
    "user": ("mariadb", "orm"),
}
"""On which database and broker each variant runs, with the pair :data:`NEWEST`."""
FOLDER = Path(".tox/matrix")
HEAD = "| environment | passed | failed | skipped | seconds |\n|---|---:|---:|---:|---:|"


@dataclass(frozen=True)
class Row:
    """One run."""

    pair: str
    database: str
    broker: str
    variant: str = ""

    @property
    def name(self) -> str:
        """What the table calls it."""
        return " ".join(word for word in (self.pair, self.database, self.broker, self.variant) if word)

    @property
    def scope(self) -> str:
        """The marks and fixtures of what is run (:mod:`tests.selection`)."""
        if self.variant == "asgi":
            return "every_database,live_server"
        is_usual = self.variant or PROFILES[self.database].broker == self.broker
        return "every_database" if is_usual else "every_broker"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that choose it."""
        return {
            "SCHEDULED_TASKS_TEST_PROFILE": self.database,
            "SCHEDULED_TASKS_TEST_BROKER": self.broker,
            "SCHEDULED_TASKS_TEST_VARIANT": self.variant,
            "SCHEDULED_TASKS_TEST_SCOPE": self.scope,
            "SCHEDULED_TASKS_TEST_WORKSPACE": f"_{self.name.replace(' ', '_').replace('-', '_')}",
        }


def rows() -> Iterator[Row]:
    """Yield all rows."""
    for pair in PAIRS:
        for database in DATABASES:
            for broker in BROKERS:
                yield Row(pair, database, broker)
    for variant in VARIANTS:
        yield Row(NEWEST, *PLACES[variant], variant)


@dataclass
class Result:
    """What came of one run, or of several together."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def __add__(self, other: Result) -> Result:
        counts = self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        return Result(*counts, self.seconds + other.seconds)

    def line(self, name: str) -> str:
        """Return it as a row of the table."""
        return f"| {name} | {self.passed} | {self.failed} | {self.skipped} | {self.seconds:.0f} |"


def read(report: Path, seconds: float) -> Result:
    """Read what pytest wrote; a run that ended without a report has failed."""
    try:
        (suite,) = ET.parse(report).getroot().iter("testsuite")
    except (OSError, ET.ParseError):
        return Result(failed=1, seconds=seconds)
    failed, skipped = int(suite.get("failures", 0)) + int(suite.get("errors", 0)), int(suite.get("skipped", 0))
    return Result(int(suite.get("tests", 0)) - failed - skipped, failed, skipped, seconds)


def run(row: Row) -> Result:
    """Run the tests of *row*."""
    stem = FOLDER / row.name.replace(" ", "-")
    report = stem.with_suffix(".xml").absolute()
    report.unlink(missing_ok=True)
    command = [f".tox/{row.pair}/bin/python", "-m", "pytest", "-q", "-n", "3", "--dist", "loadfile"]
    command += ["-p", "no:cacheprovider", "--timeout=300", f"--junitxml={report}"]
    prepare(row.pair)
    began = time.monotonic()
    with stem.with_suffix(".log").open("w") as log:
        code = subprocess.run(
            command,
            env=os.environ | row.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    found = read(report, time.monotonic() - began)
    return found if code == 0 or found.failed else found + Result(failed=1)


@cache
def path() -> str:
    """Return ``PATH`` with the Pythons that pyenv keeps side by side at its end."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return os.pathsep.join([os.environ["PATH"], *map(str, sorted(pyenv.glob("versions/3.1[1-9].*/bin")))])


def has_python(pair: str) -> bool:
    """Whether the Python of *pair* is on this machine."""
    return shutil.which(f"python3.{pair[3:5]}", path=path()) is not None


@cache
def prepare(pair: str) -> None:
    """Let tox make the environment."""
    command = [sys.executable, "-m", "tox", "run", "-q", "-e", pair, "--notest"]
    subprocess.run(command, env=os.environ | {"PATH": path()}, stdout=sys.stderr, check=True)


def main(words: list[str]) -> int:
    """Run the rows that *words* choose; return 1 if anything has failed."""
    there = {name for name, answers in SERVICES.items() if answers()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(HEAD, flush=True)
    total = Result()
    for row in rows():
        if not set(words) <= {*row.name.split(), *row.pair.split("-"), row.variant or "plain"}:
            continue
        os.environ["SCHEDULED_TASKS_TEST_BROKER"] = row.broker
        if absent := needs_of(row.database) - there:
            print(f"{row.name}: left out, since there is no {' and no '.join(sorted(absent))}", file=sys.stderr)
            continue
        if not has_python(row.pair):
            print(f"{row.name}: left out, since there is no such Python", file=sys.stderr)
            continue
        result = run(row)
        print(result.line(row.name), flush=True)
        total += result
    print(total.line("all"))
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
