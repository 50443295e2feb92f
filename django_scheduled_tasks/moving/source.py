"""What tasks can be imported from, by name: ``manage.py import_tasks NAME``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from argparse import ArgumentParser
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar, TextIO, TypeVar

from django.core.management.base import OutputWrapper


class Source(ABC):
    """One thing that tasks can be imported from; a subcommand of ``import_tasks``."""

    name: ClassVar[str]
    """What is typed: ``celery-beat``."""
    help: ClassVar[str]
    """One line for ``--help``."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add this source's own arguments, and options, to its subcommand."""
        del parser

    @abstractmethod
    def run(self, options: Mapping[str, Any], out: OutputWrapper | TextIO) -> int:
        """Do what was asked for, and say it.

        Args:
            options: The command's options, with those of :meth:`add_arguments`.
            out: Where to say it.
        Returns:
            The exit code.
        Raises:
            ScheduledTasksError, CommandError: It was refused; nothing has been written.
        """


_SOURCES: dict[str, Source] = {}
_SourceType = TypeVar("_SourceType", bound=type[Source])


def register_source(cls: _SourceType) -> _SourceType:
    """Register a source under its name; usable as a decorator."""
    _SOURCES[cls.name] = cls()
    return cls


def registered_sources() -> Mapping[str, Source]:
    """Return the registered sources, by name."""
    import_module("django_scheduled_tasks.moving.sources")  # it registers those of ours
    return MappingProxyType(_SOURCES)
