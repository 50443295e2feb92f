"""Sending for a scheduler: a thread talks to the engine, so that the one that plans never waits for it.

What could not be sent, and what follows from an answer, is done by the thread that plans: only that one uses the
database. All of it is in memory only. If it is lost with the process, the rows are sent again as any others whose
message got lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from django.db import connections

from django_scheduled_tasks.engines import Submission, get_engine, waits_for_server
from django_scheduled_tasks.exceptions import EngineUnavailable
from django_scheduled_tasks.logs import event

logger = logging.getLogger(__name__)

MOST_WAITING = 20_000
"""How many submissions wait for the thread at most; of more it is said at once that they could not be sent."""


class Outbox:
    """The thread, and what it has still to do.

    Args:
        on_news: Called in the thread when there is something for :meth:`settle`.
    """

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._on_news = on_news
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._news: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._waiting: dict[int, Sequence[Submission]] = {}
        self._numbers = 0
        self._is_away = False
        self._thread = threading.Thread(target=self._work, name="scheduled-tasks-outbox", daemon=True)
        self._thread.start()

    def put(self, submissions: Sequence[Submission], *, failed: Callable[[Sequence[Submission]], object]) -> None:
        """Send *submissions* soon.

        Args:
            submissions: Which.
            failed: Called by :meth:`settle` with those that could not be sent.
        """
        if sum(map(len, self._waiting.copy().values())) + len(submissions) > MOST_WAITING:
            failed(submissions)
            return
        self._numbers += 1
        number = self._numbers
        self._waiting[number] = submissions

        def send() -> None:
            try:
                get_engine().submit(submissions)
            except Exception as exc:  # noqa: BLE001  (an engine of the project's own may raise anything)
                rest = submissions[exc.details.get("sent", 0) :] if isinstance(exc, EngineUnavailable) else submissions
                self._says(exc)
                self._tell(lambda: failed(rest))
            else:
                self._says(None)
                event("sent", "%s executions were sent to the engine", len(submissions), count=len(submissions))
            finally:
                del self._waiting[number]

        self._jobs.put(send)

    def ask_idle(self, queues: Sequence[str], *, then: Callable[[], object]) -> None:
        """Let :meth:`settle` call *then* if nothing waits in *queues* when all that was put before has been sent."""

        def ask() -> None:
            if get_engine().is_idle(queues):
                self._tell(then)

        self._jobs.put(ask)

    def settle(self) -> None:
        """Do what follows from what the engine said since the last call; to be called by the thread that plans."""
        while True:
            try:
                act = self._news.get_nowait()
            except Empty:
                return
            act()

    def close(self, within: float) -> list[Submission]:
        """Let the thread end; return what it could not send within so many seconds."""
        self._jobs.put(None)
        self._thread.join(within)
        return [one for submissions in self._waiting.copy().values() for one in submissions]

    def _tell(self, act: Callable[[], object]) -> None:
        self._news.put(act)
        self._on_news()

    def _says(self, error: Exception | None) -> None:
        if error is not None and not self._is_away:
            logger.warning(
                "The engine is not available; what is due is sent when it is: %s", error, extra={"event": "not_sent"}
            )
        elif error is None and self._is_away:
            logger.warning("The engine is available again", extra={"event": "sent_again"})
        self._is_away = error is not None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                logger.exception("The engine failed, and sending goes on", extra={"event": "engine_failed"})
            # Receivers of an engine's own signals may have used the database.
            connections.close_all()


_open: list[Outbox] = []


def open_outbox(on_news: Callable[[], None]) -> None:
    """Let this process send by a thread from now on, if the engine asks a server that may not answer."""
    if not _open and waits_for_server(get_engine()):
        _open.append(Outbox(on_news))


def outbox() -> Outbox | None:
    """Return the outbox of this process, if it has one."""
    return _open[-1] if _open else None


def close_outbox(within: float) -> list[Submission]:
    """Close it, and do what follows from what it heard; return what could not be sent within so many seconds."""
    box = outbox()
    if box is None:
        return []
    _open.clear()
    left = box.close(within)
    box.settle()
    return left
