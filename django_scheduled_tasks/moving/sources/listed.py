"""``import_tasks list FILE``: schedules of any scheduler whose rules are known, one a line, as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from django_scheduled_tasks.models import read_now
from django_scheduled_tasks.moving.foreign import ForeignSource
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.rules.fields import Unreadable
from django_scheduled_tasks.moving.rules.listed import read
from django_scheduled_tasks.moving.source import register_source
from django_scheduled_tasks.moving.sources.celery_beat import zone_of
from django_scheduled_tasks.moving.sources.crontab import MOST_BYTES


@register_source
class Listed(ForeignSource):
    """A list that was written for this purpose."""

    name = "list"
    help = "schedules of huey, Kubernetes, Airflow, systemd, Quartz and others, one a line as JSON"
    stop = "switch the old ones off"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file."""
        super().add_arguments(parser)
        parser.add_argument(
            "file", metavar="FILE", help='{"name", "kind", "fields", "zone", "function", "params"} on each line'
        )

    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Read the file."""
        path = Path(options["file"])
        try:
            if path.stat().st_size > MOST_BYTES:
                raise CommandError(f"{path} has more than {MOST_BYTES:,} bytes.")
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError) as exc:
            raise CommandError(f"{path}: {exc}") from None
        return list(_rows(lines, path, read_now()))


def _rows(lines: Iterable[str], path: Path, now: datetime) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            name, kind, fields = str(found["name"]), str(found["kind"]), dict(found["fields"])
            row = Row(key=f"list:{name}"[:255], name=name, target=str(found.get("function") or name))
            row.kwargs = dict(found.get("params") or {})
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise CommandError(f"{path}, line {number}: {type(exc).__name__}: {exc}") from None
        try:
            row.reading = read(kind, fields, zone_of(found.get("zone") or settings.TIME_ZONE), now)
        except Unreadable as exc:
            row.cannot = str(exc)
        except (ValueError, KeyError, TypeError) as exc:
            row.cannot = f"Its fields cannot be read: {type(exc).__name__}: {exc}"
        yield row
