"""What stands below the field of a parameter: what it is for, what it may be, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_SHOWN = 3
"""So many examples are shown."""


def help_of(
    part: Mapping[str, Any], branch: Mapping[str, Any], defs: Mapping[str, Any], *, is_required: bool, is_secret: bool
) -> str:
    """Return the help text of a parameter.

    Args:
        part: Its JSON Schema.
        branch: What :func:`~.parameter_fields.only_branch` says about *part*.
        defs: The definitions of the whole schema.
        is_required: Whether the function has no default for it.
        is_secret: Then neither its default nor examples are shown.
    """
    description = str(part.get("description", "")).strip()
    if description and description[-1] not in ".!?…":
        description += "."
    found = [description, _bounds({**branch, **part}), _hint(branch, defs)]
    if not is_secret:
        found += [_examples(part, branch), _default(part, branch)]
    if is_required:
        found.append(_("No default: this function needs it."))
    return " ".join(filter(None, found))


def limits_of(part: Mapping[str, Any], branch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes by which a browser knows the bounds of a number."""
    given = {**branch, **part}
    return {name: given[key] for name, key in (("min", "minimum"), ("max", "maximum")) if key in given}


def _bounds(schema: Mapping[str, Any]) -> str:
    if schema.get("type") == "array":
        least, most = schema.get("minItems"), schema.get("maxItems")
        texts = (_("%(least)s to %(most)s items."), _("At least %(least)s items."), _("At most %(most)s items."))
    elif schema.get("type") == "string":
        least, most = schema.get("minLength"), schema.get("maxLength")
        texts = (
            _("%(least)s to %(most)s characters."),
            _("At least %(least)s characters."),
            _("At most %(most)s characters."),
        )
    else:
        return _range(*(schema.get(name) for name in _BOUNDS))
    both, low, high = texts
    text = both if least is not None and most is not None else low if least is not None else high
    return text % {"least": least, "most": most} if least is not None or most is not None else ""


def _range(least: Any, above: Any, most: Any, below: Any) -> str:
    if least is not None and most is not None:
        return _("From %(least)s to %(most)s.") % {"least": least, "most": most}
    found = [
        text % {"number": number}
        for text, number in (
            (_("At least %(number)s."), least),
            (_("More than %(number)s."), above),
            (_("At most %(number)s."), most),
            (_("Less than %(number)s."), below),
        )
        if number is not None
    ]
    return " ".join(found)


def _hint(branch: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """Return how a value is written that has no input of its own kind."""
    kind, form = branch.get("type"), branch.get("format")
    if form == "duration":
        return _("A duration: seconds, such as 90, or 01:30:00, or PT1H30M.")
    if form == "date-time":
        return _("A date and a time, such as 2026-03-20T23:00:00+01:00.")
    if kind == "array":
        return _("A list as JSON, such as %(example)s.") % {"example": _as_json(_example_of(branch, defs))}
    if kind == "object":
        return _("An object as JSON, such as %(example)s.") % {"example": _as_json(_example_of(branch, defs))}
    return ""


def _example_of(schema: Mapping[str, Any], defs: Mapping[str, Any], depth: int = 0) -> Any:
    """Return a value that shows the shape of *schema*."""
    if "$ref" in schema:
        schema = defs.get(str(schema["$ref"]).rpartition("/")[2], {})
    if "anyOf" in schema:
        others = [one for one in schema["anyOf"] if one.get("type") != "null"]
        schema = others[0] if others else {}
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "array":
        return [_example_of(schema.get("items") or {}, defs, depth + 1)] if depth < _SHOWN else []
    if kind == "object":
        known = schema.get("properties") or {}
        return {name: _example_of(one, defs, depth + 1) for name, one in known.items()} if depth < _SHOWN else {}
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(str(kind), "…")


def _examples(part: Mapping[str, Any], branch: Mapping[str, Any]) -> str:
    found = part.get("examples") or branch.get("examples") or ()
    shown = ", ".join(one if isinstance(one, str) else _as_json(one) for one in found[:_SHOWN])
    return _("Such as %(examples)s.") % {"examples": shown} if shown else ""


def _default(part: Mapping[str, Any], branch: Mapping[str, Any]) -> str:
    if part.get("default") is None or branch.get("type") == "boolean" or branch.get("writeOnly"):
        return ""
    return _("Default: %(value)s") % {"value": part["default"]}


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
