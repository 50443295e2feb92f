"""The health of the installation with what alerts say of it, for machines."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from django_scheduled_tasks.alerting import OF_INSTALLATION, Kind
from django_scheduled_tasks.instants import iso_milliseconds
from django_scheduled_tasks.models import Alert, write_alias
from django_scheduled_tasks.services.alerts.telling.wording import sentence
from django_scheduled_tasks.services.queries.health import answer as health
from django_scheduled_tasks.services.queries.health.answer import Health, Problem

logger = logging.getLogger(__name__)

CODES = {Kind.STUCK: "stuck_executions"}
"""What a look at the installation calls a problem, where it is not the kind of the alert."""
MOST_ALERTS = 100
REMEMBERED_FOR = 5.0
"""Seconds for which a process that is asked by strangers remembers what it has found."""
_remembered: dict[str, tuple[float, bool]] = {}


def examine() -> Health:
    """Look as ``services.queries.health`` does, and add the alerts about the installation; one statement more.

    Those that somebody has acknowledged, or silenced, count as well: it is still so. What the look has found itself is
    not said twice, and of a copy nothing more is said.
    """
    found = health.examine()
    known = {problem.code for problem in found.problems}
    if "held_copy" in known:
        return found
    kinds = sorted(kind for kind in OF_INSTALLATION if CODES.get(kind, kind) not in known)
    rows = Alert.objects.using(write_alias()).open().filter(kind__in=kinds).order_by("pk")[:MOST_ALERTS]
    return replace(found, problems=(*found.problems, *map(_problem, rows)))


def _problem(alert: Alert) -> Problem:
    kind = Kind(alert.kind)
    details = {"since": iso_milliseconds(alert.opened_at)} | ({"queue": alert.queue} if alert.queue else {})
    return Problem(CODES.get(kind, kind), sentence(alert), details)


def is_good_lately() -> bool:
    """Whether nothing is wrong, as this process has seen within :data:`REMEMBERED_FOR`; a database that is away is.

    For those who need not log in: however often they ask, the database is asked rarely.
    """
    alias, moment = write_alias(), time.monotonic()
    at, found = _remembered.get(alias, (float("-inf"), False))
    if moment - at >= REMEMBERED_FOR:
        try:
            found = examine().is_good
        except Exception as exc:  # noqa: BLE001  (whatever it is, it is not good)
            logger.warning("The health could not be found out: %s", exc, extra={"event": "health_unknown"})
            found = False
        _remembered[alias] = moment, found
    return found
