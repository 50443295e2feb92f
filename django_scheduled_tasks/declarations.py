"""What ``@scheduled_task`` keeps: the function that may run, and the task that the code declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.apps import apps

from django_scheduled_tasks.alerting import OF_TASK
from django_scheduled_tasks.parameters import Parameters
from django_scheduled_tasks.schedules import Schedule, parse_duration


@dataclass(frozen=True)
class RegisteredFunction:
    """A function that tasks may run."""

    function: Callable[..., Any]

    @cached_property
    def name(self) -> str:
        """``shop.rebuild_index``: the label of its app and its own name."""
        config = apps.get_containing_app_config(self.function.__module__)
        return f"{config.label if config else self.function.__module__}.{self.function.__name__}"

    @property
    def app_label(self) -> str:
        """The label of the app it belongs to."""
        return self.name.rpartition(".")[0]

    @property
    def description(self) -> str:
        """The first line of its docstring; may be empty."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def is_async(self) -> bool:
        """Whether it is an ``async def`` function."""
        return inspect.iscoroutinefunction(self.function)

    @cached_property
    def parameters(self) -> Parameters:
        """Its parameters."""
        return Parameters(self.function, self.name)


_LEAST = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """Who is told of a task, and when: ``@scheduled_task(alerts=Alerts(channels=("ops",), after=2))``.

    It becomes an alert rule of the task, and counts instead of the rules for all tasks and for tags.

    Args:
        channels: The names of channels, as in the admin. One that is not there yet is told as soon as it is.
        kinds: What they are told of, such as ``("failing", "missed")``; default: all that can be wrong with a task.
        after: After so many final failures in a row.
        closes_after: It is over after so many successes in a row.
        remind_every: As a ``timedelta`` or a text such as ``"4h"``; None: never.
        margin: How late the task has to be to be ``late``, as the same; None: 5 minutes.
    Raises:
        TypeError, ValueError: Something of it makes no sense.
        InvalidSchedule: A duration cannot be read.
    """

    channels: Collection[str]
    kinds: Collection[str] = tuple(sorted(OF_TASK))
    after: int = 1
    closes_after: int = 1
    remind_every: timedelta | str | None = None
    margin: timedelta | str | None = None

    def __post_init__(self) -> None:
        for name in ("channels", "kinds"):
            words = getattr(self, name)
            if isinstance(words, str) or not words or not all(isinstance(word, str) and word for word in words):
                raise TypeError(f'Alerts: {name} is a tuple of names, such as ("ops",), not {words!r}.')
        if unknown := sorted(set(self.kinds) - OF_TASK):
            raise ValueError(f"Alerts: there is no kind {', '.join(unknown)}. Known are: {', '.join(sorted(OF_TASK))}.")
        if self.after < 1 or self.closes_after < 1:
            raise ValueError("Alerts: after and closes_after are 1 or more.")
        for name in ("remind_every", "margin"):
            given = getattr(self, name)
            found = parse_duration(given) if isinstance(given, str) else given
            if found is not None and found < _LEAST:
                raise ValueError(f"Alerts: {name} is a minute or longer.")
            object.__setattr__(self, name, found)


@dataclass(frozen=True)
class Declaration:
    """A task that the code declares; each becomes a row."""

    name: str
    function: RegisteredFunction
    schedule: Schedule
    fields: Mapping[str, Any]
    """Further columns of the row; what is absent has the column's default."""
    formerly: tuple[str, ...] = ()
    """Names that the task had before."""
    alerts: Alerts | None = None
    """Who is told of it, if the code says so."""
