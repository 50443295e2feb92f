"""Management commands as functions: the options of a command's parser are the parameters."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePath
from typing import Annotated, Any, Literal

from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter
from pydantic import AfterValidator, Field
from pydantic_core import to_jsonable_python

_OF_ALL = frozenset(
    {"help", "version", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks"}
)
"""Options that every command has and that are for the terminal."""
_NEVER_ASKED = frozenset({"interactive", "verbosity"})
_FOR_EVER = frozenset({"dbshell", "qcluster", "runscheduler", "runserver", "shell", "testserver"})
_NUMBER = re.compile(r"-\d+(\.\d+)?")
_PLAIN = (int, float, str, bool)
_MOST_SHOWN = 300


def command_as_function(name: str, *, only: Collection[str] | None = None) -> Callable[..., None]:
    """Return a function that runs a management command.

    Args:
        name: As ``manage.py`` takes it.
        only: The names of the parameters that it takes; None: all that the parser knows.
    Raises:
        ImproperlyConfigured: There is no such command, it runs for ever, or has no such parameter.
    """
    if name not in get_commands() or name in _FOR_EVER:
        why = "it does not end by itself" if name in _FOR_EVER else "there is no such command"
        raise ImproperlyConfigured(f'management_command("{name}"): {why}.')
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    actions, asks = {action.dest: action for action in _options(parser)}, parser.get_default("interactive") is not None
    if unknown := sorted(set(only or ()) - actions.keys()):
        known = ", ".join(actions) or "none"
        raise ImproperlyConfigured(f'management_command("{name}") has no {", ".join(unknown)}. Known are: {known}.')
    taken = {dest: action for dest, action in actions.items() if only is None or dest in only}
    if missing := sorted(dest for dest, action in actions.items() if _is_needed(action) and dest not in taken):
        raise ImproperlyConfigured(f'management_command("{name}"): the command needs {", ".join(missing)}.')

    def run(**params: Any) -> None:
        _run(name, actions, params, asks=asks)

    run.__name__ = run.__qualname__ = name
    run.__doc__ = str(command.help or f"The management command {name}.").strip()
    # So a command is called like a function of its app: sessions.clearsessions, and Django's own django.dumpdata.
    run.__module__ = "django" if get_commands()[name] == "django.core" else type(command).__module__
    run.__annotations__ = {dest: _annotation(action) for dest, action in taken.items()}
    run.__dict__["__signature__"] = inspect.Signature(
        [
            inspect.Parameter(
                dest,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if _is_needed(action) else _default(action),
                annotation=run.__annotations__[dest],
            )
            for dest, action in taken.items()
        ]
    )
    return run


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield what a task may give: no switches of the terminal, no second command behind the first."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            raise ImproperlyConfigured(
                f"{parser.prog} has commands of its own: write a function that calls one of them."
            )
        if action.dest not in _OF_ALL | _NEVER_ASKED | {argparse.SUPPRESS}:
            yield action


def _is_needed(action: argparse.Action) -> bool:
    return action.required and action.nargs not in {"*", "?"}  # such a positional argument counts as required


def _is_switch(action: argparse.Action) -> bool:
    return action.nargs == 0 and not isinstance(action, argparse._CountAction)


def _takes_many(action: argparse.Action) -> bool:
    return (
        isinstance(action, argparse._AppendAction)
        or action.nargs in {"*", "+"}
        or (isinstance(action.nargs, int) and action.nargs > 0)
    )


def _annotation(action: argparse.Action) -> Any:
    """Return the type of a parameter, with the help text as its description."""
    if isinstance(action, argparse._CountAction):
        kind: Any = int
    elif isinstance(action.default, bool) and (
        _is_switch(action) or isinstance(action, argparse.BooleanOptionalAction)
    ):
        kind = bool
    elif _is_switch(action):
        kind = Literal[tuple(dict.fromkeys((action.const, action.default)))]
    else:
        kind = _of_one(action)
        kind = list[kind] if _takes_many(action) else kind
    if not _is_needed(action) and action.default is None:
        kind = kind | None
    text = _help(action)
    return Annotated[kind, Field(description=text)] if text else kind


def _of_one(action: argparse.Action) -> Any:
    if action.choices is not None and all(isinstance(choice, _PLAIN) for choice in action.choices):
        return Literal[tuple(action.choices)]
    if action.type in {int, float}:
        return action.type
    if action.type in {None, str} or not callable(action.type) or isinstance(action.type, argparse.FileType):
        return str
    return Annotated[str, AfterValidator(_checked_by(action.type))]


def _checked_by(convert: Callable[[str], Any]) -> Callable[[str], str]:
    """Return a check that accepts what *convert*, a type of the parser, can read."""

    def check(text: str) -> str:
        try:
            convert(text)
        except (argparse.ArgumentTypeError, TypeError, ValueError) as exc:
            raise ValueError(str(exc)) from None
        return text

    return check


def _help(action: argparse.Action) -> str:
    if not action.help or action.help == argparse.SUPPRESS:
        return ""
    text = DjangoHelpFormatter("manage.py")._expand_help(action)
    return " ".join(text.split())[:_MOST_SHOWN]


def _default(action: argparse.Action) -> Any:
    """Return the default as JSON; None for what a task could not give."""
    value = action.default
    if isinstance(value, PurePath):
        return str(value)
    try:
        return to_jsonable_python(value)
    except ValueError:
        return None


def _run(name: str, actions: dict[str, argparse.Action], params: dict[str, Any], *, asks: bool) -> None:
    """Call the command with the parameters that were given; the others keep its own defaults."""
    positional: list[str] = []
    options: dict[str, Any] = {}
    for dest, action in actions.items():
        if dest not in params:
            continue
        value = _converted(action, params[dest])
        if action.option_strings:
            options[dest] = value
        else:
            positional += [
                _safe(dest, item) for item in (value if isinstance(value, list) else [value]) if item is not None
            ]
    if asks:
        options["interactive"] = False
    try:
        call_command(name, *positional, **options)
    except SystemExit as exc:
        if exc.code:
            raise CommandError(f"{name} ended with {exc.code}.") from exc


def _converted(action: argparse.Action, value: Any) -> Any:
    """Return *value* as the parser would: ``call_command`` passes options on as they are."""
    convert = action.type
    if not action.option_strings or convert in {None, str, int, float} or not callable(convert) or value is None:
        return value
    return [convert(item) for item in value] if isinstance(value, list) else convert(value)


def _safe(dest: str, value: Any) -> str:
    """Return a positional argument as text; it must not be taken for an option."""
    text = str(value)
    if text.startswith("-") and not _NUMBER.fullmatch(text):
        raise ValueError(f"{dest}: {text[:40]!r} looks like an option of the command.")
    return text
