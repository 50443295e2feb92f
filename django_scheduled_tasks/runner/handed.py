"""What a message carries besides the execution that runs: given back to the engine if that one takes its time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from django_scheduled_tasks.runner.limits import Alarm
from django_scheduled_tasks.services.dispatch import send_again

GO_ON_FOR = 0.05
"""A message that took no longer, in seconds, is followed at once by a few of those that wait."""
_rest: deque[str] = deque()
"""Tracking ids of this process's message that are still to be run, by its one thread that runs functions."""


class Broker:
    """Where this process gets more, if its engine can tell."""

    take: Callable[[int | None], Sequence[str]] | None = None


def handed(tracking_ids: Sequence[str]) -> Iterator[str]:
    """Yield *tracking_ids* one after the other, as long as they are not given back meanwhile, and a few that wait."""
    began, alarm, take = time.monotonic(), Alarm(), Broker.take
    tracking_id: str | None = tracking_ids[0]
    _rest.extend(tracking_ids[1:])
    try:
        while tracking_id is not None:
            yield tracking_id
            tracking_id = _next()
            if tracking_id is None and take is not None and time.monotonic() - began < GO_ON_FOR:
                _rest.extend(take(alarm.seconds))
                take = None  # once; django-q2 counts messages, and ends a worker after so many
                tracking_id = _next()
            if tracking_id is not None:
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
