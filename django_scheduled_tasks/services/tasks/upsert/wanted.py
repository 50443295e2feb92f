"""What a program wants a task to be: read from one row of an upsert, and checked as far as that needs no database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.timezone import get_default_timezone, is_aware, make_aware
from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import FieldError, FunctionNotRegistered, InvalidInput, InvalidSchedule
from django_scheduled_tasks.json_checks import NotStorable, check_text
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.limits import is_word
from django_scheduled_tasks.models.task import KEY_MAX_LENGTH, NAME_MAX_LENGTH, clean_name
from django_scheduled_tasks.policies import exception_name
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import Manual, Schedule, parse_duration, parse_schedule, parse_timezone
from django_scheduled_tasks.schedules.durations import LEAST
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS, schedule_columns
from django_scheduled_tasks.services.tasks.owner import owner_columns
from django_scheduled_tasks.services.tasks.validation import field_errors

Errors = list[FieldError]
_OWN = frozenset({"key", "function", "owner", "schedule", "params", "name"})
_WHEN = frozenset({"schedule_kind", "expression", "timezone"})
SETTABLE = PUBLIC_FIELDS | _OWN | {"owner_type", "owner_id"}
"""What a row of an upsert may have."""
_NO_LETTER = re.compile(r"[^\w -]+")
_DIGEST = 8
_MOST_KNOWN = 5_000


@dataclass(slots=True)
class Wanted:
    """One row, checked; its values are in their canonical form."""

    index: int
    key: str
    values: dict[str, Any]
    """Fields of the task that were given, without the key; ``params`` as they were given."""
    errors: Errors = field(default_factory=list)


def clean_key(key: object) -> str:
    """Return *key* if a task can have it.

    Raises:
        InvalidInput: It is no text, empty, too long, or has outer spaces or characters that cannot be seen.
    """
    if not isinstance(key, str):
        raise InvalidInput([FieldError("key", _("it has to be a text."), "invalid")])
    if not 0 < len(key) <= KEY_MAX_LENGTH:
        raise InvalidInput(
            [FieldError("key", _("it has 1 to %(limit)s characters.") % {"limit": KEY_MAX_LENGTH}, "length")]
        )
    try:
        check_text(key)
    except NotStorable as exc:
        raise InvalidInput([FieldError("key", str(exc), "characters")]) from None
    if key != key.strip() or not is_word(key):
        text = _("it has no outer spaces, and no characters that cannot be seen.")
        raise InvalidInput([FieldError("key", text, "characters")])
    return key


def made_name(function: str, key: str, *, surely_own: bool = False) -> str:
    """Return a name for the task of *function* with this key, for people: ``monthly customer-17``.

    Args:
        function: Its name.
        key: The task's.
        surely_own: No other key has this name; else two that differ in signs only may have the same.
    """
    name = " ".join(f"{function.rpartition('.')[2].strip('_')} {_NO_LETTER.sub('-', key)}".split())
    if surely_own or len(name) > NAME_MAX_LENGTH:
        digest = hashlib.sha256(key.encode()).hexdigest()[:_DIGEST]
        name = f"{name[: NAME_MAX_LENGTH - _DIGEST - 1].rstrip()}-{digest}"
    try:
        return clean_name(name)
    except ValidationError:  # of a function whose name begins with a letter that no name begins with
        return clean_name(f"task-{hashlib.sha256(f'{function} {key}'.encode()).hexdigest()[:16]}")


class Reader:
    """Reads the rows of one upsert; what many of them have in common is checked once."""

    def __init__(self) -> None:
        self._templates: dict[tuple[str, ...], tuple[dict[str, Any], Errors]] = {}
        self._schedules: dict[tuple[Any, ...], tuple[dict[str, Any], Errors]] = {}
        self._functions: dict[Any, tuple[str, Errors]] = {}

    def read(self, index: int, row: Mapping[str, Any]) -> Wanted:
        """Return what *row* says; all that is wrong with it is among its errors.

        Args:
            index: Which row it is.
            row: ``function`` and ``key``, and what :data:`SETTABLE` has besides.
        """
        errors: Errors = []
        try:
            key = clean_key(row.get("key"))
        except InvalidInput as exc:
            key, errors = "", list(exc.errors)
        values = {"function": self._function(row.get("function"), errors)}
        values |= self.read_fields({name: row[name] for name in row if name not in {"key", "function"}}, errors)
        return Wanted(index, key, values, errors)

    def read_fields(self, given: Mapping[str, Any], errors: Errors) -> dict[str, Any]:
        """Return the columns that these fields say, and add what is wrong with them to *errors*."""
        text = _("there is no such field.")
        errors += [FieldError(str(name), text, "unknown") for name in given if name not in SETTABLE - {"key"}]
        values = self._common(given, errors) | self._when(given, errors)
        if "function" in given:
            values["function"] = self._function(given["function"], errors)
        if "owner" in given:
            try:
                values |= owner_columns(given["owner"])
            except InvalidInput as exc:
                errors += exc.errors
        if "name" in given:
            try:
                values["name"] = clean_name(str(given["name"]))
            except ValidationError as exc:
                errors.append(FieldError("name", exc.messages[0], exc.code or "invalid"))
        if "params" in given:
            values["params"] = given["params"] or {}
            if not isinstance(values["params"], Mapping):
                errors.append(FieldError("params", _("they have to be names with values."), "invalid"))
        return values

    def _function(self, given: Any, errors: Errors) -> str:
        """Return the name of a function that was *given* as itself or by a name, present or former."""
        found = self._functions.get(given) if isinstance(given, str) or callable(given) else ("", [_no_function(given)])
        if found is None:
            found = _known_function(given)
            self._functions[given] = found
        errors += found[1]
        return found[0]

    def _common(self, row: Mapping[str, Any], errors: Errors) -> dict[str, Any]:
        """Return the fields that rows have in common, such as limits and tags; the same ones are checked once."""
        given = {name: value for name, value in row.items() if name in SETTABLE and name not in _OWN | _WHEN}
        if not given:
            return {}
        key = tuple(f"{name}={value!r}" for name, value in sorted(given.items()))
        found = self._templates.get(key)
        if found is None:
            if len(self._templates) >= _MOST_KNOWN:
                self._templates.clear()
            found = self._templates[key] = _checked(given)
        errors += found[1]
        return found[0]

    def _when(self, row: Mapping[str, Any], errors: Errors) -> dict[str, Any]:
        """Return the columns of the schedule."""
        schedule = row["schedule"] or Manual() if "schedule" in row else None
        given = {name: row[name] for name in _WHEN & row.keys()}
        if schedule is None and not given:
            return {}
        key = (schedule, *sorted(given.items()))
        found = self._schedules.get(key)
        if found is None:
            if len(self._schedules) >= _MOST_KNOWN:
                self._schedules.clear()
            found = self._schedules[key] = _schedule(schedule, given)
        errors += found[1]
        return found[0]


def _no_function(given: object) -> FieldError:
    return FieldError("function", FunctionNotRegistered(str(given)).message, FunctionNotRegistered.code)


def _known_function(given: Any) -> tuple[str, Errors]:
    try:
        return (registry.get(given) if isinstance(given, str) else registry.of(given)).name, []
    except FunctionNotRegistered as exc:
        return "", [FieldError("function", exc.message, exc.code)]


def _checked(given: Mapping[str, Any]) -> tuple[dict[str, Any], Errors]:
    """Return fields in their canonical form, and what is wrong with them."""
    errors: Errors = []
    values = {}
    for name, value in given.items():
        try:
            values[name] = _plain(name, value)
        except InvalidSchedule as exc:
            errors.append(FieldError(name, exc.message, exc.code))
    task = ScheduledTask(**values)
    errors += [error for error in field_errors(task) if error.field in values]
    return {name: getattr(task, name) for name in values}, errors


def _plain(name: str, value: Any) -> Any:
    """Return *value* as the column called *name* takes it."""
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, datetime):
        return (value if is_aware(value) else make_aware(value, get_default_timezone())).astimezone(UTC)
    if name == "retry_on" and isinstance(value, (list, tuple)):
        return [exception_name(one) if isinstance(one, type) else one for one in value]
    if name in LEAST and isinstance(value, str):
        return parse_duration(value)
    return list(value) if isinstance(value, (tuple, set, frozenset)) else value


def _schedule(schedule: Any, given: Mapping[str, Any]) -> tuple[dict[str, Any], Errors]:
    """Return the columns of a schedule in their canonical form, and what is wrong with them."""
    if schedule is not None and not isinstance(schedule, Schedule):
        text = _("it has to be cron(…), every(…) or at(…), not %(type)s.") % {"type": type(schedule).__name__}
        return {}, [FieldError("schedule", text, "invalid")]
    values = (schedule_columns(schedule) if schedule is not None else {}) | dict(given)
    zone = values.get("timezone", get_settings().time_zone)
    try:
        if values.keys() >= {"schedule_kind", "expression"}:
            values["expression"] = parse_schedule(
                values["schedule_kind"], values["expression"], timezone=zone
            ).expression
        else:
            parse_timezone(zone)
    except InvalidSchedule as exc:
        return values, [FieldError("timezone" if exc.field == "timezone" else "expression", exc.message, exc.code)]
    return values, []
