"""What a message carries besides the execution that runs: it does not wait for one that takes its time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from django_scheduled_tasks.runner.timeout import Alarm
from django_scheduled_tasks.services.delivery.dispatch import leave_to_schedulers, send_again

GO_ON_FOR = 0.05
"""A message that took no longer, in seconds, is followed at once by a few of those that wait."""
BEGIN_WITHIN = 0.5
"""Seconds of a message in which its executions may begin. The engine has one time limit for all of it: so each of them
has nearly the whole of it, and others' messages do not wait long either."""


class Broker:
    """Where this process gets more, if its engine can tell."""

    take: Callable[[int | None], Sequence[str]] | None = None


class _Message:
    """One that is worked off.

    Args:
        tracking_ids: What is to be run, in this order.
    """

    def __init__(self, tracking_ids: Sequence[str]) -> None:
        self.rest = deque(tracking_ids)
        self.is_left = False
        """Whether what was still to be run has been left to whoever comes first."""
        self._began = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it came."""
        return time.monotonic() - self._began


_present: list[_Message] = []


def handed(tracking_ids: Sequence[str]) -> Iterator[str]:
    """Yield *tracking_ids* one after the other, and a few that wait; what cannot begin in time is sent again."""
    message, alarm, take = _Message(tracking_ids), Alarm(), Broker.take
    _present.append(message)
    try:
        while message.rest:
            yield message.rest.popleft()
            if not message.rest and take is not None and message.age < GO_ON_FOR:
                message.rest.extend(take(alarm.seconds))
                take = None  # once; django-q2 counts messages, and ends a worker after so many
            if message.rest and message.age > BEGIN_WITHIN:
                send_again(message.rest)
                return
            alarm.set_again()
    finally:
        _present.remove(message)


def leave_what_waits() -> None:
    """Leave what waits behind an execution that takes its time to other workers; called by the heartbeat.

    No message is sent here: a broker that does not answer would keep the heartbeat from renewing leases. A scheduler
    sends one; without a scheduler it is this worker's turn again when that execution has ended.
    """
    for message in _present.copy():
        if message.rest and not message.is_left and message.age > BEGIN_WITHIN:
            leave_to_schedulers(list(message.rest.copy()))
            message.is_left = True
