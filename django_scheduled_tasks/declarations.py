"""What ``@scheduled_task`` keeps: the function that may run, and the task that the code declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.apps import apps

from django_scheduled_tasks.parameters import Parameters
from django_scheduled_tasks.schedules import Schedule


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
