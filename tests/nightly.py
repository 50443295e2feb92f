"""All that the gate leaves out, part by part: ``python -m tests.nightly [part ...]``; ``make nightly`` calls it.

A part that fails does not keep the others from running. At the end a table says how long each took and whether it
passed; what a part wrote is kept in ``.tox/nightly``. Words choose parts: ``ONLY="chaos matrix" make nightly``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.debian_python import LEFT_OUT
from tests.matrix import path

FOLDER = Path(".tox/nightly")
PYTHON = sys.executable
TOX = (PYTHON, "-m", "tox", "run", "-e")


@dataclass(frozen=True)
class Part:
    """One command."""

    about: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


PARTS = {
    "suite": Part(
        "every test on every database, slow ones too, Hypothesis with a hundred times the gate's examples",
        (PYTHON, "-m", "tests"),
        {"SCHEDULED_TASKS_TEST_NIGHTLY": "1"},
    ),
    "unfold": Part("each screen as django-unfold draws it", (*TOX, "unfold"), {"SCHEDULED_TASKS_TEST_NIGHTLY": "1"}),
    "schemathesis": Part(
        "thousands of requests that are made up from the schema",
        (PYTHON, "-m", "pytest", "-q", "-k", "schemathesis", "--timeout=7200"),
        {"SCHEMATHESIS_EXAMPLES": "40", "SCHEMATHESIS_SEED": os.environ.get("SEED", "1")},
    ),
    "chaos": Part(
        "everything breaks for ten minutes, then the ledger is read",
        (PYTHON, "-m", "tests.chaos", "--seed", os.environ.get("SEED", "1"), "--minutes", "10"),
    ),
    "deploys": Part(
        "a thousand rolling deploys with crashes, then the ledger is read",
        (PYTHON, "-m", "tests.chaos.deploys", "--seed", os.environ.get("SEED", "1"), "--deploys", "1000"),
    ),
    "matrix": Part("each Python, Django, database and broker", (PYTHON, "-m", "tests.matrix")),
    "lowest": Part(
        "the lowest versions on all databases", (*TOX, "py311-lowest"), {"SCHEDULED_TASKS_TEST_SCOPE": "all"}
    ),
    "newest": Part("pre-releases of Django, DRF, django-q2, psycopg and redis-py", (*TOX, "newest")),
    "psycopg2": Part("PostgreSQL through psycopg2", (*TOX, "psycopg2")),
    "python314": Part("Python 3.14, from Debian", (PYTHON, "-m", "tests.debian_python", "py314-dj61")),
    "benchmarks": Part("each benchmark, in short", (PYTHON, "-m", "benchmarks", "--quick")),
}


def run(name: str, part: Part) -> tuple[str, float]:
    """Run one part; return what came of it, and how many minutes it took."""
    log = FOLDER / f"{name}.log"
    print(f"== {name}: {part.about} ({log})", flush=True)
    began = time.monotonic()
    with log.open("w") as output:
        done = subprocess.run(
            part.command,
            env=os.environ | {"PATH": path()} | part.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        print("\n".join(log.read_text(errors="replace").splitlines()[-30:]), flush=True)
    result = {0: "passed", LEFT_OUT: "left out"}.get(done.returncode, "FAILED")
    return result, (time.monotonic() - began) / 60


def main(words: list[str]) -> int:
    """Run the parts that *words* name, or all; return 1 if one has failed."""
    if unknown := sorted(set(words) - set(PARTS)):
        print(f"No such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = {name: run(name, part) for name, part in PARTS.items() if not words or name in words}
    width = max(map(len, results))
    print(f"\n{'part':<{width}}  minutes  result")
    for name, (result, minutes) in results.items():
        print(f"{name:<{width}}  {minutes:7.1f}  {result}")
    return 1 if any(result == "FAILED" for result, _minutes in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
