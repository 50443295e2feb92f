"""Which functions may run, and which tasks the code declares: ``@scheduled_task``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Literal, TypeVar, overload

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.declarations import Alerts, Declaration, RegisteredFunction
from django_scheduled_tasks.exceptions import FunctionNotRegistered
from django_scheduled_tasks.functions.commands import command_as_function
from django_scheduled_tasks.functions.foreign import functions_at, plain_function
from django_scheduled_tasks.lifecycle import CatchUp, LogLevel, OnExcluded, OnWorkerLost, Overlap
from django_scheduled_tasks.policies import columns_of
from django_scheduled_tasks.schedules import Manual, Schedule
from django_scheduled_tasks.schedules.calendars import read_date

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Registry:
    """The registered functions and declared tasks of this process."""

    _functions: list[RegisteredFunction] = field(default_factory=list)
    _declarations: list[Declaration] = field(default_factory=list)
    _calendars: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    _by_name: dict[str, RegisteredFunction] = field(default_factory=dict)
    _former: dict[str, RegisteredFunction] = field(default_factory=dict)

    def add_function(self, function: Callable[..., Any], *, formerly: Sequence[str] = ()) -> RegisteredFunction:
        """Register *function*, which may be done twice. A reloaded module replaces its functions.

        Args:
            function: Which.
            formerly: Paths under which it was registered before, as ``shop.old_name``.
        """
        place = (function.__module__, function.__qualname__)
        for known in self._functions:
            if known.function is function:
                self._former |= dict.fromkeys(formerly, known)
                return known
        self._functions = [f for f in self._functions if (f.function.__module__, f.function.__qualname__) != place]
        self._declarations = [
            d for d in self._declarations if (d.function.function.__module__, d.function.function.__qualname__) != place
        ]
        registered = RegisteredFunction(function)
        self._functions.append(registered)
        self._former = {path: one for path, one in self._former.items() if one in self._functions}
        self._former |= dict.fromkeys(formerly, registered)
        self._by_name = {}
        return registered

    def declare(self, declaration: Declaration) -> None:
        """Add a task that the code declares.

        Raises:
            ImproperlyConfigured: Another one has the same name.
        """
        for known in self._declarations:
            if known.name.casefold() == declaration.name.casefold():
                raise ImproperlyConfigured(
                    f'Two tasks are called "{declaration.name}": {_place(known)} and {_place(declaration)}.'
                    " Give one of them another name."
                )
        self._declarations.append(declaration)

    def functions(self) -> Mapping[str, RegisteredFunction]:
        """All functions by name; not by former ones.

        Raises:
            ImproperlyConfigured: Two functions of one app have the same name.
        """
        if len(self._by_name) != len(self._functions):
            found: dict[str, RegisteredFunction] = {}
            for function in self._functions:
                if other := found.get(function.name):
                    raise ImproperlyConfigured(
                        f'Two functions are called "{function.name}": one in {other.function.__module__}, one in'
                        f" {function.function.__module__}. Rename one of them."
                    )
                found[function.name] = function
            self._by_name = dict(sorted(found.items()))
        return self._by_name

    def former_functions(self) -> Mapping[str, RegisteredFunction]:
        """The functions by paths that they had before and that no other function has."""
        return {path: function for path, function in self._former.items() if path not in self.functions()}

    def knows(self, name: str) -> bool:
        """Whether there is a function that is called *name*, or was."""
        return name in self.functions() or name in self._former

    def declarations(self) -> Sequence[Declaration]:
        """All tasks that the code declares, in order of declaration."""
        return tuple(self._declarations)

    def declare_calendar(self, name: str, zone: str, definition: Mapping[str, Any]) -> None:
        """Add a calendar that the code declares.

        Raises:
            ImproperlyConfigured: Another one has the same name.
        """
        if self._calendars.get(name, (zone, definition)) != (zone, definition):
            raise ImproperlyConfigured(f'Two calendars are called "{name}". Give one of them another name.')
        self._calendars[name] = zone, definition

    def calendars(self) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """All calendars that the code declares, by name: zone (empty: the project's) and definition."""
        return self._calendars

    def get(self, name: str) -> RegisteredFunction:
        """Return the function that is called *name*, or else the one that was.

        Raises:
            FunctionNotRegistered: There is none.
        """
        found = self.functions().get(name) or self._former.get(name)
        if found is None:
            raise FunctionNotRegistered(name)
        return found

    def of(self, function: Callable[..., Any]) -> RegisteredFunction:
        """Return what is registered of *function* itself.

        Raises:
            FunctionNotRegistered: Nothing.
        """
        found = next((one for one in self._functions if one.function is function), None)
        if found is None:
            raise FunctionNotRegistered(getattr(function, "__qualname__", str(function)))
        return found

    def clear(self) -> None:
        """Forget everything, for tests."""
        self._functions, self._declarations, self._by_name, self._former = [], [], {}, {}


registry = Registry()
"""The registry of this process."""


def _place(declaration: Declaration) -> str:
    function = declaration.function.function
    return f"{function.__module__}.{function.__qualname__}"


def autodiscover() -> None:
    """Import the ``tasks`` module of each installed app, so that its functions register themselves.

    What the setting ``FUNCTIONS`` names is registered as well.

    Raises:
        ImproperlyConfigured: There is nothing at one of its paths that could run.
    """
    autodiscover_modules("tasks")
    for function in functions_at(get_settings().FUNCTIONS):
        scheduled_task(function)


@overload
def scheduled_task(function: Function, /) -> Function: ...


@overload
def scheduled_task(
    *,
    name: str | None = ...,
    schedule: Schedule | None = ...,
    formerly: Sequence[str] = ...,
    description: str | None = ...,
    params: Mapping[str, Any] | None = ...,
    enabled: bool = ...,
    starts_at: datetime | None = ...,
    ends_at: datetime | None = ...,
    max_runs: int | None = ...,
    spread: timedelta | str | None = ...,
    overlap: Overlap | str = ...,
    catch_up: CatchUp | str = ...,
    grace: timedelta | str | None = ...,
    timeout: timedelta | str | None = ...,
    max_runtime: timedelta | str | None = ...,
    must_succeed_every: timedelta | str | None = ...,
    must_finish_by: time | str | None = ...,
    alerts: Alerts | Literal[False] | None = ...,
    expires_after: timedelta | str | None = ...,
    max_attempts: int = ...,
    min_backoff: timedelta | str = ...,
    max_backoff: timedelta | str = ...,
    max_doublings: int = ...,
    max_age: timedelta | str | None = ...,
    retry_on: Sequence[type[BaseException]] = ...,
    on_worker_lost: OnWorkerLost | str = ...,
    pause_after_failures: int | None = ...,
    queue: str = ...,
    concurrency_group: str = ...,
    keep_last: int | None = ...,
    keep_for: timedelta | str | None = ...,
    log_level: LogLevel | str = ...,
    confirm: bool = ...,
    environments: Sequence[str] = ...,
    calendars: Sequence[str] = ...,
    on_excluded: OnExcluded | str = ...,
    tags: Sequence[str] = ...,
    contact: str = ...,
    runbook: str = ...,
) -> Callable[[Function], Function]: ...


def scheduled_task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    schedule: Schedule | None = None,
    formerly: Sequence[str] = (),
    alerts: Alerts | Literal[False] | None = None,
    **policies: Any,
) -> Any:
    """Let a function run as a scheduled task; with a name or a schedule, declare the task as well.

    The function itself is returned unchanged: it stays callable and testable, and the decorator may be stacked to
    declare several tasks of one function. Without a name and a schedule (also as plain ``@scheduled_task``) it only
    becomes available to tasks that are made in the admin or over REST.

    Args:
        name: The task's name; default: the function's, if there is a schedule. 2 to 64 characters, unique regardless
            of case.
        schedule: ``cron(…)``, ``every(…)``, ``at(…)``; None: only when someone runs it.
        formerly: Names that the task had before, and paths (with a dot, ``shop.old_name``) that the function had: the
            row is renamed, its history stays with it, and what waits under the old path runs this function.
        alerts: Who is told when something is wrong with it, as :class:`~django_scheduled_tasks.declarations.Alerts`;
            False: nobody, unless a rule is for this very task; None: those whom the rules for all tasks and for tags
            name.
        policies: Columns of ``ScheduledTask``. Durations are ``timedelta`` or
            texts such as ``"90s"``, ``"5m"``, ``"2h30m"``, ``"1d"``; ``retry_on`` takes exception classes;
            ``must_finish_by`` is a time of day in the time zone of the schedule, as ``datetime.time`` or ``"06:00"``.
    Raises:
        ImproperlyConfigured: Two tasks or two functions have one name.
        InvalidSchedule: A duration cannot be read, or is shorter than a second.
        TypeError: An unknown policy, a duration or a time of another type, not a function, or a generator.
    """
    if isinstance(formerly, str):
        raise TypeError(f"@scheduled_task: formerly is a tuple of names, ({formerly!r},).")
    if not (alerts is None or alerts is False or isinstance(alerts, Alerts)):
        raise TypeError(f"@scheduled_task: alerts is Alerts(…), False or None, not {alerts!r}.")
    paths = [one for one in formerly if "." in one]
    names = tuple(one for one in formerly if "." not in one)

    def decorate(given: Function) -> Function:
        function = plain_function(given)
        if not inspect.isfunction(function):
            raise TypeError(f"@scheduled_task goes on a function, not on {function!r}.")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"@scheduled_task: {function.__qualname__} yields, so that a call would run nothing of it.")
        registered = registry.add_function(function, formerly=paths)
        if name is not None or schedule is not None:
            registry.declare(
                Declaration(
                    name=name if name is not None else function.__name__,
                    function=registered,
                    schedule=schedule if schedule is not None else Manual(),
                    fields=columns_of(policies) | ({} if alerts is None else {"own_rules_only": True}),
                    formerly=names,
                    alerts=alerts or None,
                )
            )
        elif policies or names or alerts is not None:
            raise TypeError(f"{function.__qualname__}: policies need a name or a schedule, else no task is declared.")
        return given

    return decorate if function is None else decorate(function)


def management_command(name: str, /, *, only: Collection[str] | None = None, **options: Any) -> Callable[..., None]:
    """Let a management command run as a scheduled task; with a schedule, declare the task as well.

    Its options are the parameters, with the types, choices and defaults that its parser says; what it prints is the
    log of the execution. It never asks anything: ``interactive`` is False::

        management_command("clearsessions", schedule=cron("0 4 * * *"))
        management_command("dumpdata", only=("args", "output"))

    Args:
        name: As ``manage.py`` takes it.
        only: The names of the parameters that tasks may give; None: all. Others keep the command's defaults.
        options: As for :func:`scheduled_task`: a schedule, a ``name`` of the task, policies. The task's name is the
            command's unless there is another one.
    Returns:
        The function, which takes the parameters by name.
    Raises:
        ImproperlyConfigured: There is no such command, or it runs for ever; and as :func:`scheduled_task`.
    """
    function = command_as_function(name, only=only)
    if options:
        return scheduled_task(**{"name": name, **options})(function)
    return scheduled_task(function)


def calendar(
    name: str,
    *,
    zone: str = "",
    weekdays: Sequence[str] | None = None,
    holidays: str = "",
    dates: Sequence[Any] = (),
    windows: Sequence[str] = (),
) -> str:
    """Declare a calendar; tasks name it: ``@scheduled_task(schedule=…, calendars=["de"], on_excluded="skip")``::

        calendar("de", zone="Europe/Berlin", weekdays=["mon", "tue", "wed", "thu", "fri"], holidays="DE-BE",
                 dates=[("2027-12-20", "2027-12-31", "year end")], windows=["Fri 18:00 – Mon 06:00"])

    It becomes a row, as declared tasks do, and is changed in code only.

    Args:
        name: Small letters, digits, dashes and underscores; 40 at most.
        zone: Whose days and clock; IANA name. Empty: the project's.
        weekdays: On which tasks may run, ``mon`` to ``sun``; None: all.
        holidays: Whose public holidays are excluded, by ISO 3166: ``DE``, ``DE-BE``. Needs the extra ``holidays``.
        dates: Further days that are excluded: a date, or ``(first, last, label)``; each a ``date`` or ISO 8601.
        windows: Parts of each week that are excluded, such as ``Fri 18:00 – Mon 06:00``.
    Returns:
        The name.
    Raises:
        ImproperlyConfigured: Another calendar has this name.
        InvalidSchedule: A date cannot be read.
        TypeError: One text is given where several are to be.
    """
    for what, given in (("weekdays", weekdays), ("dates", dates), ("windows", windows)):
        if isinstance(given, str):
            raise TypeError(f"calendar: {what} is a list, [{given!r}].")
    definition: dict[str, Any] = {} if weekdays is None else {"weekdays": list(weekdays)}
    spans = [read_date(one) for one in dates]
    found = {
        "holidays": holidays,
        "dates": [{"from": str(one.first), "to": str(one.last), "label": one.label} for one in spans],
        "windows": list(windows),
    }
    registry.declare_calendar(name, zone, definition | {key: value for key, value in found.items() if value})
    return name
