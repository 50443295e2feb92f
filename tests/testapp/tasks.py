"""Functions to test with."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr

from django_scheduled_tasks import context, scheduled_task, task


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    zip_code: int = 0
    pin: SecretStr | None = None


@scheduled_task
def noop() -> None:
    """Does nothing."""


@scheduled_task
def add(a: int, b: int = 2) -> int:
    """Adds two numbers.

    Further lines are not shown.
    """
    return a + b


@scheduled_task
def typed(
    day: dt.date,
    moment: dt.datetime | None = None,
    identifier: uuid.UUID | None = None,
    amount: Decimal = Decimal(0),
    colour: Colour = Colour.RED,
    size: Literal["s", "m"] = "s",
    tags: list[int] | None = None,
    address: Address | None = None,
) -> dict[str, str]:
    """Takes values of many types and tells them."""
    values = {"day": day, "moment": moment, "identifier": identifier, "amount": amount, "colour": colour}
    values |= {"size": size, "tags": tags, "address": address}
    return {name: type(value).__name__ for name, value in values.items()}


@scheduled_task
def secretive(password: SecretStr, user: str = "anna") -> str:
    """Has a secret."""
    return f"{user} has a password of {len(password.get_secret_value())} letters"


@scheduled_task
def fail(message: str = "It broke.") -> None:
    """Raises an error."""
    raise ValueError(message)


@scheduled_task
def leak(password: str = "") -> None:
    """Says its secret as it fails."""
    raise ValueError(f"{password} is wrong")


@scheduled_task
def give(value: Any = None) -> Any:
    """Returns what it is given."""
    return value


@scheduled_task
def give_object() -> object:
    """Returns what is not JSON."""
    return Path("somewhere")


@scheduled_task
async def wait_a_moment(seconds: float = 0.01) -> str:
    """Is async."""
    await asyncio.sleep(seconds)
    return "waited"


@scheduled_task
def sleep(seconds: float = 1.0) -> str:
    """Sleeps."""
    time.sleep(seconds)
    return "slept"


@scheduled_task
def count_to(total: int = 3, pause: float = 0.0) -> int:
    """Counts with progress."""
    for _ in context.track(range(total), message="Counting"):
        time.sleep(pause)
    return total


@scheduled_task
def append_line(path: str, text: str = "ran") -> None:
    """Appends a line to a file, so that tests can count how often it ran, across processes."""
    execution = context.execution
    with Path(path).open("a") as file:
        file.write(f"{text} {execution.number if execution else '-'} {time.time()}\n")


@scheduled_task
def start_other(name: str) -> None:
    """Runs another task once."""
    task(name).run_once()


from tests.testapp import misbehaving, releases  # noqa: E402, F401  (their functions register themselves)


@scheduled_task
def echo_secret(password: str = "", note: str = "") -> dict[str, Any]:
    """Says what it must not say."""
    print(f"the key is {password}, and {note}")
    return {"length": len(password), "note": note}
