"""Signals for other apps; sent robustly, so that a receiver that fails does no harm.

Each about an execution is sent with the class ``Execution`` as sender and ``execution=`` the row, each about an alert
with the class ``Alert`` and ``alert=``; receivers must accept ``**kwargs``.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

execution_queued = Signal()
"""An execution was recorded and its transaction has committed."""
execution_started = Signal()
"""A worker has claimed an execution; sent in the worker."""
execution_overran = Signal()
"""An execution runs longer than its task's ``max_runtime``; it goes on. Sent in the worker, once for each attempt."""
execution_finished = Signal()
"""An execution has ended, in whatever way; sent where that was written."""
occurrence_skipped = Signal()
"""An occurrence was recorded as skipped."""
occurrence_missed = Signal()
"""An occurrence, or a run of many, was recorded as missed."""
alert_opened = Signal()
"""An alert was opened, since something is wrong. Sent in the scheduler, whether a rule tells anybody or not."""
alert_closed = Signal()
"""An alert was closed, since it is over. Sent in the scheduler."""


def send(signal: Signal, sender: type, **named: Any) -> None:
    """Send *signal*; Django logs what receivers raise, and it goes no further."""
    signal.send_robust(sender, **named)
