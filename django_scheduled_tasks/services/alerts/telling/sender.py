"""Sending for a scheduler: threads talk to channels, so that the one that plans never waits for any of them.

Only the thread that plans uses the database. Each channel has a thread of its own while it is sent to, so that one
that does not answer holds up no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue

from django.db import connections

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.alerts.telling.outbox import (
    MOST_MESSAGES,
    Answer,
    Parcel,
    send,
    take_due,
    write_answer,
)

logger = logging.getLogger(__name__)


@dataclass
class _Busy:
    thread: threading.Thread
    until: float
    """When it counts as hung; monotonic seconds."""


class Sender:
    """The threads of one process, and what they have heard.

    Args:
        on_news: Called in a thread when there is something for :meth:`settle`.
    """

    def __init__(self, on_news: Callable[[], None] = lambda: None) -> None:
        self._on_news = on_news
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._busy: dict[int, _Busy] = {}

    def send_due(self) -> int:
        """Take what is due and let it be sent; return how many messages that is.

        A channel whose thread has not ended is left alone; if it hangs, it is given up for a new one, which is no more
        often than the growing waits between tries let it be.
        """
        parcels = take_due(but=self._busy_channels())
        limit = get_settings().ALERT_TIMEOUT.total_seconds() * (MOST_MESSAGES + 1)
        for channel, own in groupby(parcels, key=lambda parcel: parcel.target.id):
            work = list(own)
            thread = threading.Thread(target=self._work, args=[work], name="scheduled-tasks-alerts", daemon=True)
            self._busy[channel] = _Busy(thread, time.monotonic() + limit)
            thread.start()
        return len(parcels)

    def settle(self) -> None:
        """Write what the channels have answered; to be called by the thread that plans."""
        while True:
            try:
                answer = self._answers.get_nowait()
            except Empty:
                return
            write_answer(answer)

    def close(self, within: float) -> None:
        """Wait for what is being sent, but no longer than so many seconds, and write the answers."""
        end = time.monotonic() + within
        for busy in self._busy.values():
            busy.thread.join(max(end - time.monotonic(), 0))
        self.settle()

    def _busy_channels(self) -> list[int]:
        moment = time.monotonic()
        self._busy = {
            channel: busy for channel, busy in self._busy.items() if busy.thread.is_alive() and moment < busy.until
        }
        return list(self._busy)

    def _work(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            try:
                self._answers.put(send(parcel))
            except Exception:
                logger.exception("A notice could not be sent", extra={"event": "not_told"})
            self._on_news()
        # A mail backend of the project's own may have used the database.
        connections.close_all()
