"""``python -m tests.chaos.deploys --seed 7 --deploys 200``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.servers import own_servers


def main() -> int:
    """Run, print the verdict, return 1 if anything was lost, doubled, or wrongly paused, switched off or failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.deploys", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same deploys (default: 1)")
    parser.add_argument("--deploys", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="at most for so long (default: no limit)")
    parser.add_argument("--break", dest="broken", default="", help="let all processes break this rule; see tempo.py")
    parser.add_argument("--folder", type=Path, help="for the releases and the trace (default: a temporary one)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    with own_servers() as (postgres, redis):
        os.environ |= postgres.environment() | {
            "REDIS_URL": redis.url,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "SCHEDULED_TASKS_TEST_PROFILE": "postgres",
            "SCHEDULED_TASKS_TEST_CLUSTER": "deploys",
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from tests.chaos.deploys.roll import Deploys
        from tests.chaos.deploys.tempo import BROKEN_RULES

        if options.broken and options.broken not in BROKEN_RULES:
            parser.error(f"No such rule. There are: {', '.join(BROKEN_RULES)}.")
        folder = options.folder or Path(tempfile.mkdtemp(prefix="deploys-"))
        folder.mkdir(exist_ok=True)
        run = Deploys(folder, "deploys", seed=options.seed, broken_rule=options.broken, say=_say)
        report = run.run(options.deploys, minutes=options.minutes)
    print(report.text())
    return 0 if report.is_well else 1


def _end(*_: object) -> None:
    """Let the processes and servers end too; a second signal does not keep them from it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
