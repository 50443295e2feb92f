"""Notices when a task was changed by somebody else while its form was open, so that saving puts nothing back.

The page carries a version: one short hash for each field as it was when the page was made. A field whose hash no longer
fits was changed meanwhile. Changes of other columns, such as a pause, are no conflict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.forms import BoundField, CheckboxInput, MultiWidget, Select
from django.http import QueryDict
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.tasks.form.parameters import PREFIX
from django_scheduled_tasks.admin.tasks.page.preview import shown
from django_scheduled_tasks.admin.ui.html import instant_text
from django_scheduled_tasks.admin.ui.text.values import empty_text, field_label, recorded_text
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.queries.audit import latest_of
from django_scheduled_tasks.services.secrets import shown_params
from django_scheduled_tasks.services.tasks.edit import is_same

VERSION = "dst_version"
"""The name of the hidden input."""
_FIELDS = tuple(field.name for field in ScheduledTask._meta.concrete_fields if field.editable)
"""The columns that the form decides."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that was changed meanwhile."""

    label: Any
    stored: str
    """Its present value as text."""
    entered: str
    """Its value in the form as text."""
    said: str = ""
    """Who has changed it, when, from what to what."""
    who: str = ""
    """Who, if it was somebody."""


def version_of(task: ScheduledTask) -> str:
    """Return the version of *task* for the hidden input. The hashes are keyed: they tell nothing about secrets."""
    return " ".join(f"{name}:{_hash(task, name)}" for name in _FIELDS)


def changed_since(task: ScheduledTask, version: str) -> list[str]:
    """Return the fields of *task* that differ from those of the page with this version."""
    known = set(version.split())
    return [name for name in _FIELDS if f"{name}:{_hash(task, name)}" not in known]


def conflicts_in(form: Any, cleaned: dict[str, Any]) -> list[Conflict]:
    """Return the fields that somebody has changed since the page was made, to another value than the form's."""
    version, task = form.data.get(VERSION), form.instance
    if version is None or task._state.adding:
        return []
    found = []
    for name in changed_since(task, version):
        inputs = form.expression_input if name == "expression" else name
        stored, entered = getattr(task, name), cleaned.get(name, form.data.get(inputs))
        # Of secrets an answer that depends on them would tell whether they were guessed.
        is_secret = name == "params" and shown_params(task) != stored
        if (is_secret or not is_same(name, stored, entered)) and (stored or entered):
            column: Any = ScheduledTask._meta.get_field(name)
            if name == "params":  # what is stored may meanwhile be of another function
                stored, entered = shown_params(task), form.parameters.masked(entered or {}, form.parameters.known)
            texts = [_as_text(form, name, value) for value in (stored, entered)]
            found.append(Conflict(column.verbose_name, texts[0], texts[1], *who_changed(task, name)))
    return found


def _as_text(form: Any, name: str, value: Any) -> str:
    if name == "params":
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    choices: Any = getattr(form.fields.get(name), "choices", ())
    return str(dict(choices).get(value) or shown(value))


def who_changed(task: ScheduledTask, name: str) -> tuple[str, str]:
    """Return who changed the column called *name* last, in a sentence, and by name; empty if nobody knows."""
    change = latest_of(task.pk, name)
    if change is None:
        return "", ""
    item = next(one for one in change.fields if one["field"] == name)
    texts = [recorded_text(name, item[side]) or empty_text() for side in ("old", "new")]
    values = {
        "user": change.user_name or _("A program"),
        "field": item.get("name") or field_label(name, task.schedule_kind),
        "time": instant_text(change.at, seconds=True),
        "old": texts[0],
        "new": texts[1],
    }
    return _("%(user)s changed %(field)s, %(time)s: %(old)s → %(new)s.") % values, change.user_name


def keep_theirs(form: Any, data: QueryDict) -> QueryDict:
    """Return *data*, which was sent for a form, with what somebody else has saved meanwhile in place of what was typed.

    Args:
        form: Of the task as it is stored, not bound to any data.
        data: With the version of the page that it was typed into.
    """
    kept = data.copy()
    for name in changed_since(form.instance, data.get(VERSION, "")):
        if name == "params":
            for key in [key for key in kept if key.startswith(f"{PREFIX}-")]:
                del kept[key]
            for bound in form.parameters:
                kept.update(_as_sent(bound))
        else:
            bound = form[form.expression_input if name == "expression" else name]
            for key in [key for key in kept if key == bound.html_name or key.startswith(f"{bound.html_name}_")]:
                del kept[key]
            kept.update(_as_sent(bound))
    return kept


def _as_sent(bound: BoundField) -> dict[str, str]:
    """Return what a browser sends for a field that nobody touches."""
    widget, value, name = bound.field.widget, bound.value(), bound.html_name
    if isinstance(widget, CheckboxInput):
        return {name: "on"} if value else {}
    if isinstance(widget, MultiWidget):
        parts: Any = zip(widget.widgets, widget.decompress(value) or (), strict=True)
        return {f"{name}_{number}": str(one.format_value(part) or "") for number, (one, part) in enumerate(parts)}
    if isinstance(widget, Select):
        return {name: "" if value is None else str(value)}
    return {name: str(widget.format_value(value) or "")}


def _hash(task: ScheduledTask, name: str) -> str:
    value = json.dumps(getattr(task, name), sort_keys=True, default=str)
    return salted_hmac("django_scheduled_tasks.version", f"{task.pk}:{name}:{value}", algorithm="sha256").hexdigest()[
        :12
    ]
