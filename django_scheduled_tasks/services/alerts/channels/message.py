"""What is sent, and to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class NotDelivered(Exception):
    """A channel did not take a message; the text is what it said, for people."""


@dataclass(frozen=True, slots=True)
class Target:
    """A channel, as it was when the message was taken to be sent."""

    id: int
    name: str
    kind: str
    address: str
    secret_name: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message: about one event of an alert, or a digest of many."""

    id: str
    """The same at each try, so that a receiver can tell that it has it already."""
    subject: str
    text: str
    payload: Mapping[str, Any]
