"""For the project's ``LOGGING``: what execution a record belongs to, and records as JSON.

``LOGGING`` is read before models can be imported, so this module imports none of ours.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

FIELDS = ("task", "tracking_id", "attempt")
"""What :class:`ExecutionFilter` adds."""
_RUNNING = "django_scheduled_tasks.runner.process"
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class ExecutionFilter(logging.Filter):
    """Adds ``task``, ``tracking_id`` and ``attempt`` to each record that a function logs while it runs; drops none.

    Outside of an execution they are None, so that a format may name them. What a record says itself stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add them, and let *record* pass."""
        runner: Any = sys.modules.get(_RUNNING)  # a process that runs nothing has not imported it
        attempt = runner.process.current() if runner is not None else None
        execution = attempt.execution if attempt is not None else None
        here = dict.fromkeys(FIELDS)
        if execution is not None:
            here |= {
                "task": execution.task_name,
                "tracking_id": str(execution.tracking_id),
                "attempt": execution.attempt,
            }
        for name, value in here.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


class JsonFormatter(logging.Formatter):
    """Writes each record as one line of JSON: ``timestamp``, ``level``, ``logger``, ``message``, and what goes with it.

    What goes with it is whatever was given as ``extra``, such as the ``event`` of our own records, and what filters
    have added; an exception is in ``exception``. The instant is in UTC. What is not JSON is written as a text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as JSON."""
        found: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = vars(record).items()
        found |= {name: value for name, value in given if name not in _OF_EVERY_RECORD and value is not None}
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = self.formatStack(record.stack_info)
        return json.dumps(found, default=str, ensure_ascii=False)
