"""``python -m benchmarks.rest``: measure, and tell."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import benchmarks.rest
from benchmarks.machine import described
from benchmarks.rest.load import Call, Figures, clients, measure
from benchmarks.rest.report import as_json, table
from benchmarks.rest.server import LEAST_ROWS, calls, fill, prepare, server
from tests.servers import own_servers

WARM_SECONDS = 2.0
"""For what each process builds at its first requests."""


def main() -> None:
    """Measure, and print a table with ratios to the bare views."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rest", description=benchmarks.rest.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each call is measured in each round")
    parser.add_argument("--executions", default="0,1000000", help="how many there are in the table")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument("--quick", action="store_true", help="one short round, with 20,000 rows")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.executions = 1, 0.5, "20000"
    results: defaultdict[tuple[int, str], list[Figures]] = defaultdict(list)
    bare: dict[str, str] = {}
    with own_servers() as (postgres, redis):
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "benchmarks.rest_settings",
            "SCHEDULED_TASKS_TEST_PROFILE": "postgres",
            "SCHEDULED_TASKS_TEST_CLUSTER": "bench-rest",
        }
        import django

        django.setup()
        tokens = prepare()
        machine = described("Django", "djangorestframework", "gunicorn", "psycopg")
        for count in map(int, options.executions.split(",")):
            fill(max(count, LEAST_ROWS))
            measured = calls(tokens)
            bare |= {call.name: call.bare for call in measured}
            with server() as port:
                one_pass(measured, port, min(options.seconds, WARM_SECONDS))
                for number in range(options.rounds):
                    for name, figures in one_pass(measured, port, options.seconds).items():
                        results[count, name].append(figures)
                    print(f"{count:,} executions, round {number + 1} done", file=sys.stderr)
    print(table(machine, results, bare))
    if options.json:
        found = as_json(machine, results, bare) | {"rounds": options.rounds, "seconds": options.seconds}
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def one_pass(measured: list[Call], port: int, seconds: float) -> dict[str, Figures]:
    """Measure one call after the other."""
    with clients(port) as opened:
        return {call.name: measure(call, opened, seconds) for call in measured}


if __name__ == "__main__":
    main()
