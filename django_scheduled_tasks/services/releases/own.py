"""The release of this process: what its code knows, and the row that says so."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.declarations import Declaration, RegisteredFunction
from django_scheduled_tasks.models import Release, read_now, write_alias
from django_scheduled_tasks.models.release import KEY_LENGTH
from django_scheduled_tasks.models.task import name_key
from django_scheduled_tasks.parameters import shown_default
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.schedules import schedule_kinds
from django_scheduled_tasks.services.releases.name import release_name, versions

RENAMED = "formerly:"
"""With this begins, in ``Release.declared``, what stands for a name that a task no longer has; its name follows."""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Of an object, in its ``repr``: another one in each process."""
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class _Made:
    """What was made, and of what."""

    functions: Mapping[str, RegisteredFunction]
    declarations: Sequence[Declaration]
    name: str
    release: Release


_made: _Made | None = None


def own() -> Release:
    """Return the release of this process, not saved; made once, unless functions are registered later."""
    global _made  # noqa: PLW0603  (one for each process)
    try:
        functions = registry.functions()
    except ImproperlyConfigured:  # two have one name; a system check says so
        functions = {}
    declarations, name = registry.declarations(), get_settings().RELEASE
    if _made is None or _made.functions is not functions or _made.declarations != declarations or _made.name != name:
        _made = _Made(functions, declarations, name, _make(functions, declarations))
    return _made.release


def own_key() -> str:
    """Return the key of the release of this process; no statement."""
    return own().key


def ensure_written() -> Release:
    """Return the row of the release of this process; it is written if there is none. One statement, if there is."""
    release, rows = own(), Release.objects.using(write_alias())
    found = rows.filter(pk=release.key).first()
    if found is None:
        release.first_seen_at = read_now()
        rows.bulk_create([release], ignore_conflicts=True)  # another process of it may be first
        found = rows.get(pk=release.key)
    return found


def _make(functions: Mapping[str, RegisteredFunction], declarations: Sequence[Declaration]) -> Release:
    known = {name: _signature(function) for name, function in functions.items()}
    known |= {former: _signature(function) for former, function in registry.former_functions().items()}
    declared = {name_key(former): f"{RENAMED}{name_key(one.name)}" for one in declarations for former in one.formerly}
    declared |= {name_key(one.name): _digest(_values(one)) for one in declarations}
    release = Release(
        name=release_name(),
        functions=known,
        declared=declared,
        schedule_kinds=sorted(schedule_kinds()),
        versions=versions(),
    )
    parts = (release.name, release.functions, release.declared, release.schedule_kinds, release.versions)
    release.key = _digest(parts)
    return release


def _values(declaration: Declaration) -> list[Any]:
    schedule = declaration.schedule
    zone = getattr(schedule, "timezone", None)
    return [declaration.function.name, schedule.kind, schedule.expression, str(zone or ""), dict(declaration.fields)]


def _signature(function: RegisteredFunction) -> dict[str, Any]:
    """Return a digest of the signature of *function*, and which parameters it needs and takes."""
    try:
        parameters = list(inspect.signature(function.function).parameters.values())
    except Exception:  # noqa: BLE001  (from Python 3.14 on, annotations are evaluated here, and may fail)
        return {"digest": "", "required": [], "optional": [], "more": True, "defaults": {}}
    single = [one for one in parameters if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}]
    return {
        "digest": _digest([_parameter(one) for one in parameters]),
        "required": [one.name for one in single if one.default is one.empty],
        "optional": [one.name for one in single if one.default is not one.empty],
        "more": any(one.kind is one.VAR_KEYWORD for one in parameters),
        "defaults": {one.name: shown_default(one) for one in single if one.default is not one.empty},
    }


def _parameter(parameter: inspect.Parameter) -> list[str]:
    default, annotation = parameter.default, parameter.annotation
    written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    # Of other defaults than plain ones the repr may be another one in each process.
    value = repr(default) if isinstance(default, _PLAIN) else type(default).__qualname__
    return [parameter.name, parameter.kind.name, written, "" if default is parameter.empty else value]


def _digest(value: Any) -> str:
    text = _ADDRESS.sub("", json.dumps(value, sort_keys=True, default=str))
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]
