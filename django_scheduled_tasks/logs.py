"""Logs for machines: what belongs to which execution, as JSON, and what happens as events that can be counted.

Imported by Django before there are models, since ``LOGGING`` names the classes below; so nothing is imported here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

EVENTS = "django_scheduled_tasks.events"
"""The logger of what happens in the ordinary course, a line at level INFO for each event."""
FIELDS = ("task", "tracking_id", "attempt")
"""What is added to the records of a function."""
_events = logging.getLogger(EVENTS)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _nothing_runs() -> Mapping[str, Any]:
    return {}


class _Teller:
    """Knows which execution runs, once the module that runs them is imported."""

    def __init__(self) -> None:
        self.tell: Callable[[], Mapping[str, Any]] = _nothing_runs
        self.wants: Callable[[logging.Logger, int], bool] = logging.Logger.isEnabledFor


_teller = _Teller()


def tell_with(
    tell: Callable[[], Mapping[str, Any]], wants: Callable[[logging.Logger, int], bool] = logging.Logger.isEnabledFor
) -> None:
    """Let others say what this module cannot know.

    Args:
        tell: Which execution the calling code belongs to: its fields, or nothing.
        wants: Whether the project wants records of a logger and a level. A worker sets the level of the root logger for
            what functions log, so that the level alone does not say it.
    """
    _teller.tell, _teller.wants = tell, wants


def are_events_wanted() -> bool:
    """Whether the project wants the records of :func:`event`; for callers whose fields cost something to gather."""
    return _teller.wants(_events, logging.INFO)


def execution_fields() -> dict[str, Any]:
    """Return task, tracking id and attempt of the execution that the calling code belongs to; empty outside of one."""
    return dict(_teller.tell())


def add_execution(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add these fields to an event of structlog, unless it has a tracking id; a processor."""
    if "tracking_id" not in event_dict:
        event_dict.update(execution_fields())
    return event_dict


def event(name: str, message: str, *args: object, **fields: Any) -> None:
    """Log an event that can be counted.

    Args:
        name: What happened, in a word that stays: ``claimed``.
        message: The same for people.
        args: Its values.
        fields: What machines want to know of it.
    """
    if are_events_wanted():
        _events.info(message, *args, extra={"event": name, **fields}, stacklevel=2)


class ExecutionFilter(logging.Filter):
    """Adds ``task``, ``tracking_id`` and ``attempt`` to each record that a function logs; to others, None.

    It belongs to a handler: of a logger's filters those of its children know nothing. A record that says by ``extra``
    what it is about stays as it is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; no record is left out."""
        found = {} if hasattr(record, "tracking_id") else _teller.tell()
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, found.get(name))
        return True


class JSONFormatter(logging.Formatter):
    """Writes a record as one line of JSON: ``time``, ``level``, ``logger``, ``message``, and what ``extra`` has.

    What is no JSON is written as a text. Fields that are None are left out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; instants are in UTC, to the millisecond."""
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD and value is not None}
        at = datetime.fromtimestamp(record.created, UTC)
        own = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            own["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            own["stack"] = self.formatStack(record.stack_info)
        fields = own | {name: value for name, value in extra.items() if name not in own}
        try:
            return json.dumps(fields, default=_text, allow_nan=False)
        except (TypeError, ValueError, RecursionError):  # a key that is no text, not a number, a circle
            return json.dumps({name: value if name in own else _text(value) for name, value in fields.items()})


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as exc:  # noqa: BLE001  (a __str__ is user code and may itself fail)
        return f"<{type(value).__qualname__}: {type(exc).__name__}>"
