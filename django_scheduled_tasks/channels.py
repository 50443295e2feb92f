"""Kinds of channels: how a notice reaches people, and how a project adds a kind of its own.

A kind is registered in the ``ready`` method of an app; channels can then have it, in the admin and over REST.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

KIND_MAX_LENGTH = 16
"""What the column that stores the kind can hold."""
_KIND = re.compile(rf"[a-z][a-z0-9_]{{0,{KIND_MAX_LENGTH - 1}}}")


class NotDelivered(Exception):
    """A channel did not take a message; the text is what it said, for people: no address and no secret."""


class InvalidChannel(Exception):
    """A channel is not as its kind needs it.

    Args:
        field: ``address`` or ``secret_name``.
        message: A plain sentence for people.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Target:
    """A channel, as it was when the message was taken to be sent."""

    id: int
    """Its number, or 0 if it is not saved yet."""
    name: str
    kind: str
    address: str
    """What somebody typed; its meaning is the kind's."""
    secret_name: str
    """The name of the setting or environment variable that holds the secret; empty if it has none."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: about one event of an alert, or a digest of many."""

    id: str
    """The same at each try, so that a receiver can tell that it has it already."""
    subject: str
    """One line."""
    text: str
    """A few lines with since when, a sentence and a link."""
    payload: Mapping[str, Any]
    """The same as JSON; its ``type`` is ``alert.opened``, ``alert.counted``, ``alert.reminder``, ``alert.closed``,
    ``alert.digest`` or ``alert.test``."""


class ChannelKind(ABC):
    """How notices reach people. Subclass it, give it a ``kind`` and :meth:`send`, and register it::

        @register_channel_kind
        class Siren(ChannelKind):
            kind = "siren"
            label = "Siren on the roof"

            def send(self, target, message):
                sirens[target.address].sound(message.subject)
                return "It sounds."

    One instance sends for all channels of the kind.
    """

    kind: ClassVar[str] = ""
    """The name under which it is stored, of at most 16 small letters, digits and underscores, a letter first."""
    label: ClassVar[Any] = ""
    """What people call it; if empty, its ``kind``."""

    @abstractmethod
    def send(self, target: Target, message: Message) -> str:
        """Send *message*, within ``ALERT_TIMEOUT``, and return what was answered, in a few words.

        It runs in a thread of its own; after ``ALERT_TIMEOUT`` nobody waits for it any more. Whatever it raises, the
        message is sent again later.

        Args:
            target: Where to.
            message: What; its ``id`` is the same at each try.
        Raises:
            NotDelivered: It was not taken; the text is shown to people. Of other errors only their name is.
        """

    def check(self, target: Target) -> None:  # noqa: B027  (most have nothing to check)
        """Raise :class:`InvalidChannel` if *target* cannot be a channel of this kind; nothing is to be sent yet."""


_KINDS: dict[str, ChannelKind] = {}
_KindType = TypeVar("_KindType", bound=type[ChannelKind])


def register_channel_kind(cls: _KindType) -> _KindType:
    """Register a kind of channel under its ``kind``; usable as a decorator. Call it while your app is loaded.

    Raises:
        TypeError: *cls* has no usable ``kind``.
        ValueError: Another class has this ``kind``.
    """
    if not _KIND.fullmatch(cls.kind):
        raise TypeError(
            f"{cls.__qualname__}.kind has to be 1 to {KIND_MAX_LENGTH} small letters, digits and underscores,"
            " a letter first."
        )
    known = type(_KINDS[cls.kind]) if cls.kind in _KINDS else cls
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"The kind {cls.kind!r} is {known.__module__}.{known.__qualname__} already.")
    _KINDS[cls.kind] = cls()
    return cls


def channel_kinds() -> Mapping[str, ChannelKind]:
    """Return the registered kinds, by name."""
    return MappingProxyType(_KINDS)
