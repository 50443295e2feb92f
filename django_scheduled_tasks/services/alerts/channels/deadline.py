"""A limit for what knows none of its own: ``getaddrinfo``, a mail backend, a kind of channel of the project's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.db import connections

from django_scheduled_tasks.channels import NotDelivered

MOST_HUNG = 3
"""So many tries of a channel may hang in this process; until one of them ends no further one is begun."""
_running: dict[int, list[threading.Thread]] = {}


def within(seconds: float, act: Callable[[], str], *, key: int) -> str:
    """Return what *act* returns, in a thread of its own.

    Args:
        seconds: After them it is left alone, and goes on in the background until it ends by itself.
        act: What may hang.
        key: Of which channel it is.
    Raises:
        TimeoutError: It has not ended in time.
        NotDelivered: Too many hang already.
        Exception: Whatever *act* raises.
    """
    hung = _running[key] = [thread for thread in _running.get(key, []) if thread.is_alive()]
    if len(hung) >= MOST_HUNG:
        raise NotDelivered(f"{len(hung)} tries have not ended yet.")
    answers: SimpleQueue[str | BaseException] = SimpleQueue()
    thread = threading.Thread(target=_run, args=[act, answers], name="scheduled-tasks-channel", daemon=True)
    hung.append(thread)
    thread.start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    thread.join(_A_MOMENT)  # it only closes what it has opened
    if isinstance(answer, BaseException):
        raise answer
    return answer


_A_MOMENT = 1.0


def _run(act: Callable[[], str], answers: SimpleQueue[str | BaseException]) -> None:
    answer: str | BaseException
    try:
        answer = act()
    except BaseException as exc:  # noqa: BLE001  (it is raised where somebody waits for it)
        answer = exc
    # A mail backend of the project's own may have used the database.
    connections.close_all()
    answers.put(answer)
