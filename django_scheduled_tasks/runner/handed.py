"""What a message carries besides the execution that runs: given back to the engine if that one takes its time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from django_scheduled_tasks.runner.limits import Alarm
from django_scheduled_tasks.services.dispatch import send_again

_rest: deque[str] = deque()
"""Tracking ids of this process's message that are still to be run, by its one thread that runs functions."""


def handed(tracking_ids: Sequence[str]) -> Iterator[str]:
    """Yield *tracking_ids* one after the other, as long as they are not given back meanwhile."""
    if len(tracking_ids) == 1:
        yield tracking_ids[0]
        return
    alarm = Alarm()
    _rest.extend(tracking_ids[1:])
    tracking_id: str | None = tracking_ids[0]
    try:
        while tracking_id is not None:
            yield tracking_id
            tracking_id = _next()
            alarm.set_again()
    finally:
        _rest.clear()


def give_back() -> None:
    """Send what is still to be run to other workers, each with a message of its own; called by the heartbeat."""
    given = list(iter(_next, None))
    if given:
        send_again(given)


def _next() -> str | None:
    try:
        return _rest.popleft()
    except IndexError:
        return None  # whoever of the two threads came first has it
