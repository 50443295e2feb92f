"""``import_tasks crontab FILE``: the lines of a crontab."""

from __future__ import annotations

import hashlib
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import CommandError

from django_scheduled_tasks.moving.foreign import ForeignSource
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.names import without_secrets
from django_scheduled_tasks.moving.rules.fields import Unreadable
from django_scheduled_tasks.moving.rules.listed import crontab_line
from django_scheduled_tasks.moving.source import register_source
from django_scheduled_tasks.moving.sources.celery_beat import OVERLAPS, zone_of

MOST_BYTES = 1_000_000
_VARIABLE = re.compile(r"\s*([A-Za-z_]\w*|'[^']*'|\"[^\"]*\")\s*=\s*(.*?)\s*")
_OF_SHELL = frozenset({"SHELL", "PATH", "HOME", "LOGNAME", "USER", "LANG", "LC_ALL", "PYTHONPATH", "PWD"})
_ZONES = frozenset({"CRON_TZ", "TZ"})
_MANAGE = re.compile(r"(?:^|[\s/])(?:manage\.py|django-admin(?:\.py)?)\s+(?P<rest>.+)$")
_SHELL_SIGNS = re.compile(r"[|;&<>`$()]")
_OUTPUT = re.compile(r"\s*(?:\d?>>?\s*(?:&\d|\S+)|&>>?\s*\S+)")
_FIELDS = 5


@register_source
class Crontab(ForeignSource):
    """A file of cron."""

    name = "crontab"
    help = "the lines of a crontab: of a user (crontab -l > FILE), /etc/crontab, or a file of /etc/cron.d"
    stop = "take the lines out of the crontab"
    remarks = (OVERLAPS, "What was due while the machine was off is caught up here: catch_up.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, and how it is read."""
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE")
        parser.add_argument(
            "--user-column", action="store_true", help="the sixth column is a user; default in /etc/crontab and cron.d"
        )
        parser.add_argument("--timezone", help="cron's, that of its machine; default: TIME_ZONE of the project")

    def rows(self, options: Mapping[str, Any]) -> Iterable[Row]:
        """Read the file."""
        path = Path(options["file"])
        try:
            if path.stat().st_size > MOST_BYTES:
                raise CommandError(f"{path} has more than {MOST_BYTES:,} bytes.")
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeError) as exc:
            raise CommandError(f"{path}: {exc}") from None
        has_user = options["user_column"] or path.name == "crontab" or "cron.d" in path.parts
        return read_lines(text, zone=options["timezone"] or settings.TIME_ZONE, has_user=has_user)


@dataclass
class _Standing:
    """What the lines before have set."""

    zone: str
    mail_to: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str) -> None:
        if name in _ZONES:
            self.zone = value or self.zone
        elif name == "MAILTO":
            self.mail_to = value
        elif name not in _OF_SHELL:
            self.variables[name] = value


def read_lines(text: str, *, zone: str, has_user: bool) -> Iterator[Row]:
    """Yield a row for each line that runs something.

    Args:
        text: The file.
        zone: The zone of the machine.
        has_user: Whether there is a column for the user.
    """
    seen: dict[str, int] = {}
    standing = _Standing(zone)
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped[0] not in "*@0123456789" and (found := _VARIABLE.fullmatch(line)):
            standing.set(found[1].strip("'\""), found[2].strip("'\""))
            continue
        row = _row(stripped, standing, has_user=has_user)
        seen[row.key] = seen.get(row.key, 0) + 1
        if seen[row.key] > 1:
            row.key = f"{row.key} #{seen[row.key]}"
        yield row


def _row(line: str, standing: _Standing, *, has_user: bool) -> Row:
    count = 1 if line.startswith("@") else _FIELDS
    parts = line.split(None, count + has_user)
    times, rest = " ".join(parts[:count]), parts[count:]
    user = rest.pop(0) if has_user and rest else ""
    command, given = _percent(rest[0] if rest else "")
    row = Row(key=_key(command), name=command, target=command, is_line=True)
    _take_apart(row, command)
    if given:
        row.losses.append("What follows % is given to the command as its input; there is none here.")
    if user:
        row.notes.append(f"It ran as {user}; here all run as the user of the workers.")
    if standing.mail_to:
        row.values["contact"] = standing.mail_to[:200]
        row.notes.append(
            f"MAILTO ({standing.mail_to}) is its contact; its output is the log, and alerts tell of failures."
        )
    row.losses += [f"The variable {name} is not set for it; set it for the workers." for name in standing.variables]
    try:
        row.reading = crontab_line(times, _zone(standing.zone))
    except Unreadable as exc:
        row.cannot = str(exc)
    if not command:
        row.cannot = f"{line[:60]!r} runs nothing."
    return row


def _zone(name: str) -> ZoneInfo:
    return zone_of(name.lstrip(":"))


def _key(command: str) -> str:
    """Return what a line is known by: its command, so that another time is a change of it; it may hold a secret."""
    return f"crontab:{hashlib.sha256(command.encode()).hexdigest()[:32]}"


def _percent(text: str) -> tuple[str, bool]:
    r"""Return the command before the first ``%``, with ``\%`` as ``%``, and whether something follows."""
    command, sign, _rest = re.sub(r"\\%", "\0", text).partition("%")
    return command.replace("\0", "%").strip(), bool(sign)


def _take_apart(row: Row, command: str) -> None:
    """Find the management command and its arguments, if the line runs one and nothing else after it."""
    plain = _OUTPUT.sub("", command)
    found = _MANAGE.search(plain)
    if found is None or _SHELL_SIGNS.search(found["rest"]):
        row.name = without_secrets(command)
        return
    try:
        words = shlex.split(found["rest"])
    except ValueError:
        return
    row.command, row.words, row.name = words[0], words[1:], without_secrets(" ".join(words))
    if plain != command:
        row.notes.append("Where its output went does not count here: it is the log of the execution.")
