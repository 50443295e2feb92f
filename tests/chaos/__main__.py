"""``python -m tests.chaos --seed 1 --minutes 30``."""

from __future__ import annotations

import argparse
import os
import sys

from tests.servers import own_servers


def main() -> int:
    """Run, print the report, return 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed breaks the same things (default: 1)")
    parser.add_argument("--minutes", type=float, default=1.0, help="for how long (default: 1)")
    parser.add_argument("--interval", type=float, default=0.8, help="seconds between two faults (default: 0.8)")
    options = parser.parse_args()
    with own_servers() as (postgres, redis):
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "SCHEDULED_TASKS_TEST_PROFILE": "postgres",
            "SCHEDULED_TASKS_TEST_CLUSTER": "chaos",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from tests.chaos.runner import Chaos

        report = Chaos(
            postgres, redis, seed=options.seed, seconds=options.minutes * 60, interval=options.interval
        ).run()
    print(report.text())
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
