"""From what another scheduler ran to a registered function: by a map, or by name; and its arguments by name."""

from __future__ import annotations

import argparse
import inspect
import json
import keyword
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import CommandError, get_commands, load_command_class

from django_scheduled_tasks.declarations import RegisteredFunction
from django_scheduled_tasks.functions.foreign import plain_function
from django_scheduled_tasks.moving.model import Row
from django_scheduled_tasks.moving.names import without_secrets
from django_scheduled_tasks.registry import registry

LEFT_OUT = "The map leaves it out."


@dataclass(frozen=True)
class FunctionMap:
    """Which function takes the place of what; read from a file of TOML.

    ``"shop.tasks.sync" = "shop.sync"`` for all rows that ran it, or ``"celery-beat:14" = …`` for one; ``false`` leaves
    them out; a table with ``function`` and ``params`` says the parameters as well.
    """

    entries: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | None) -> FunctionMap:
        """Read the file at *path*; without one the map is empty.

        Raises:
            CommandError: It is no TOML, or names no function.
        """
        if path is None:
            return cls({})
        try:
            entries = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeError, tomllib.TOMLDecodeError) as exc:
            raise CommandError(f"--map {path}: {exc}") from None
        for key, value in entries.items():
            name = value.get("function") if isinstance(value, dict) else value
            if name is not False and (not isinstance(name, str) or not registry.knows(name)):
                raise CommandError(
                    f'--map {path}: "{key}" has to be the name of a registered function, such as "shop.sync", or false.'
                    + (f' "{name}" is none.' if isinstance(name, str) else "")
                )
        return cls(entries)

    def of(self, row: Row) -> Any:
        """Return what is said of *row*: a name, a table, False, or None."""
        return next((self.entries[key] for key in (row.key, row.name, row.target) if key in self.entries), None)


@dataclass(frozen=True)
class Bound:
    """What runs, with which parameters."""

    function: str = ""
    params: Mapping[str, Any] | None = None
    cannot: str = ""
    is_missing: bool = False
    """Whether no function is registered for it."""


def bind(row: Row, mapped: FunctionMap) -> Bound:
    """Find the function of *row*, and give each of its arguments a name."""
    entry: Any = mapped.of(row)
    if entry is False:
        return Bound(cannot=LEFT_OUT)
    params: Any = None
    if isinstance(entry, dict):
        params, entry = entry.get("params"), entry["function"]
    function = registry.get(str(entry)) if entry else by_name(row)
    if function is None:
        return Bound(cannot="No registered function takes its place.", is_missing=True)
    if params is not None:
        return Bound(function.name, params)
    if row.command:
        return _bind_words(row, function)
    if not row.args:
        return Bound(function.name, dict(row.kwargs))
    try:
        found = inspect.signature(function.function).bind_partial(*row.args)
    except TypeError:
        return Bound(cannot=f"It gives {len(row.args)} arguments by position; {function.name} takes fewer.")
    names = inspect.signature(function.function).parameters
    if any(names[name].kind is inspect.Parameter.VAR_POSITIONAL for name in found.arguments):
        return Bound(cannot=f"It gives {len(row.args)} arguments by position; {function.name} has no names for all.")
    if double := sorted(found.arguments.keys() & row.kwargs.keys()):
        return Bound(cannot=f"It gives {double[0]} twice: by position and by name.")
    return Bound(function.name, dict(found.arguments) | row.kwargs)


def _bind_words(row: Row, function: RegisteredFunction) -> Bound:
    """Read what is typed behind a command's name as its own parser does; the names are those of its options."""
    try:
        command = load_command_class(get_commands()[row.command], row.command)
    except KeyError:
        return Bound(cannot=f"There is no command {row.command} here, and its arguments are read by its parser.")
    parser = command.create_parser("manage.py", row.command)
    for action in parser._actions:
        action.default = argparse.SUPPRESS  # only what is given counts
        action.type = action.type if action.type in {int, float} else None
    for action in parser._actions:
        action.required = action.required and not action.option_strings
    try:
        given = vars(parser.parse_args(row.words))
    except CommandError as exc:
        return Bound(cannot=f"The command does not take its arguments: {exc}")
    known = inspect.signature(function.function).parameters
    return Bound(function.name, {name: value for name, value in given.items() if name in known} | row.kwargs)


def by_name(row: Row) -> RegisteredFunction | None:
    """Return the function that *row* ran, if it is registered: the very one, or the one of this name in its app."""
    names = {row.command or re.split(r"[.:]", row.target)[-1], row.command or _stub_name(row)}
    found = []
    for function in registry.functions().values():
        path = f"{function.function.__module__}.{function.function.__name__}"
        if path == row.target.replace(":", ".") or function.name == row.target:
            return function
        is_named = function.name.rpartition(".")[2] in names
        is_path = "." in row.target and not row.is_line and not row.command
        is_of_app = not is_path or function.app_label in re.split(r"[.:]", row.target)
        if is_named and is_of_app:
            found.append(function)
    return found[0] if len(found) == 1 else None


def stubs(rows: Iterable[Row]) -> str:
    """Return what to paste into a ``tasks.py`` so that functions are registered for *rows*."""
    rows = list(rows)
    commands = sorted({row.command for row in rows if row.command})
    others = {row.target: row for row in reversed(rows) if not row.command}
    known = {target: found for target in sorted(others) if (found := _loaded(target))}
    names = [*(["management_command"] if commands else []), *(["scheduled_task"] if others else [])]
    lines = [f"from django_scheduled_tasks import {', '.join(names)}"]
    for target in known:
        module, _dot, name = target.replace(":", ".").rpartition(".")
        lines.append(f"from {module} import {name}")
    lines += ["", *(f"management_command({json.dumps(command)})" for command in commands)]
    for target, function in known.items():
        name = re.split("[.:]", target)[-1]
        lines.append(f"scheduled_task({name})  # {name}{inspect.signature(function)}")
    for target, row in sorted(others.items()):
        if target not in known:
            lines += ["", "", *_stub(target, row)]
    return "\n".join(lines)


def _stub(target: str, row: Row) -> list[str]:
    parameters = [f"arg{number}: {_type(value)}" for number, value in enumerate(row.args, 1)]
    parameters += [f"{key}: {_type(value)}" for key, value in row.kwargs.items() if key.isidentifier()]
    return [
        "@scheduled_task",
        f"def {_stub_name(row)}({', '.join(parameters)}) -> None:",
        f"    # It ran: {without_secrets(target)}",
        "    raise NotImplementedError",
    ]


def _stub_name(row: Row) -> str:
    """Return what the function of the stub is called, by which it is found as soon as it has been pasted."""
    text = row.name if row.is_line else re.split(r"[.:]", row.target)[-1]
    words = re.sub(r"\W+", "_", text).strip("_").lower()
    return words if words.isidentifier() and not keyword.iskeyword(words) else f"task_{words}"


def _type(value: Any) -> str:
    return {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict"}.get(type(value), "object")


def _loaded(target: str) -> Callable[..., Any] | None:
    """Return the function that *target* names, if its module is loaded: nothing is imported because a row says so."""
    module, _dot, name = target.replace(":", ".").rpartition(".")
    try:
        found = plain_function(getattr(sys.modules.get(module), name, None))
    except TypeError:
        return None
    return found if inspect.isfunction(found) else None
