"""Through which door a deed comes: the doors say so at their entrance, and what writes changes asks here."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from django_scheduled_tasks.host import HOST
from django_scheduled_tasks.models import Way


@dataclass(frozen=True, slots=True)
class Door:
    """Through what something is done, and from where."""

    way: Way
    name: str = ""
    """Of the API's token, of the command, or of the release."""
    address: str = HOST
    """The client's address; of a command ``user@host``, of other programs the host."""


_OF_PROJECT = Door(Way.PYTHON)
_present: ContextVar[Door] = ContextVar("django_scheduled_tasks_door", default=_OF_PROJECT)


def present() -> Door:
    """Return the door that the present deed comes through; Python code of the project has none to pass."""
    return _present.get()


@contextmanager
def through(way: Way, name: str = "", address: str = HOST) -> Iterator[None]:
    """Let all that is done within come through this door."""
    token = _present.set(Door(way, name, address))
    try:
        yield
    finally:
        _present.reset(token)


def call_it(name: str) -> None:
    """Give the present door a name that was not known at its entrance; it is forgotten with the door."""
    _present.set(replace(_present.get(), name=name))


def user_and_host() -> str:
    """Return the user of the operating system, and this host: ``deploy@ci-1``."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # in a container a process may run as a user that has no name
        name = "?"
    return f"{name}@{HOST}"
