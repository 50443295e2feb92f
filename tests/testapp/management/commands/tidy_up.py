"""A command with options of every kind."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError


def day(text: str) -> date:
    """Read a date, as a type of a parser does."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no date") from None


class Command(BaseCommand):
    help = "Tidies up."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("place")
        parser.add_argument("more", nargs="*", type=int)
        parser.add_argument("--since", type=day, required=True, help="What is older goes (%(metavar)s).", metavar="DAY")
        parser.add_argument("--level", type=int, choices=[1, 2, 3], default=2)
        parser.add_argument("--share", type=float)
        parser.add_argument("--dry-run", action="store_true")
        parser.add_argument("--keep-logs", action="store_false", dest="logs", default=True)
        parser.add_argument("--only", action="append", default=[])
        parser.add_argument("--paint", action=argparse.BooleanOptionalAction, default=False)
        parser.add_argument("--mode", action="store_const", const="fast", default="slow")
        parser.add_argument("--deep", action="count", default=0)
        parser.add_argument("--noinput", action="store_false", dest="interactive")
        parser.add_argument("--end", type=int)

    def handle(self, *args: Any, **options: Any) -> str:
        names = ("place", "more", "since", "level", "share", "dry_run", "logs", "only", "paint", "mode", "deep")
        self.stdout.write(repr({name: options[name] for name in (*names, "interactive")}))
        self.stderr.write("mind the gap")
        if options["place"] == "nowhere":
            raise CommandError("There is no such place.")
        if options["end"] is not None:
            sys.exit(options["end"])
        return "tidy"
