"""The body of ``run-once`` as a form: a field for each parameter of the task's function."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.html import escape
from rest_framework import serializers
from rest_framework.renderers import BrowsableAPIRenderer

from django_scheduled_tasks.api.serializers.base import StrictSerializer
from django_scheduled_tasks.api.serializers.requests import RunOnceRequest
from django_scheduled_tasks.exceptions import FunctionNotRegistered, ScheduledTasksError
from django_scheduled_tasks.json_checks import NotStorable, read_json
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.registry import registry

_TEXTAREA = "textarea.html"
_INPUTS = {"date": "date", "password": "password", "email": "email", "uri": "url"}  # nosec  (a type of input)


def run_once_form(task: ScheduledTask, **options: Any) -> serializers.Serializer[Any]:
    """Return the serializer of the form for *task*; a field that is left empty keeps its default."""
    try:
        parameters = registry.get(task.function).parameters
    except FunctionNotRegistered:
        return RunOnceRequest(**options)
    schema = parameters.json_schema
    shown = parameters.mask(task.params, task.secret_params)
    fields = {
        name: _field(list(_branches(part, schema.get("$defs", {}))), part, shown.get(name), name in parameters.required)
        for name, part in schema.get("properties", {}).items()
    }
    params = type("ParamsForm", (_Params,), fields)
    form = type("RunOnceForm", (RunOnceRequest,), {"params": params(required=False, label="Parameters")})
    found: serializers.Serializer[Any] = form(**options)
    return found


class _Params(StrictSerializer):
    """One field for each parameter."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return what was filled in, as JSON where the parameter is no text."""
        found: dict[str, Any] = super().to_internal_value(data)
        return {
            name: value if self.fields[name].style.get("is_text") else _read(name, value)
            for name, value in found.items()
            if value != ""
        }


def _read(name: str, text: str) -> Any:
    try:
        return read_json(text)
    except NotStorable as exc:
        raise serializers.ValidationError({name: [str(exc)]}) from None
    except ValueError:
        return text  # the function's signature says what is wrong with it


def _branches(schema: Any, defs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas that *schema* stands for."""
    if "$ref" in schema:
        yield from _branches(defs.get(str(schema["$ref"]).rpartition("/")[2], {}), defs)
        return
    yield schema
    for part in schema.get("anyOf", ()):
        yield from _branches(part, defs)


def _field(
    branches: list[Mapping[str, Any]], schema: Mapping[str, Any], own: Any, required: bool
) -> serializers.Field[Any, Any, Any, Any]:
    """Return the field of one parameter.

    Args:
        branches: The schemas of its alternatives.
        schema: Its own schema.
        own: The task's own value, masked.
        required: Whether the function has no default for it.
    """
    types = {part.get("type") for part in branches}
    options: dict[str, Any] = {"required": False, "allow_blank": True, "help_text": _help(schema, own, required)}
    choices = [item for part in branches for item in part.get("enum", [])]
    if types == {"boolean"}:
        choices = [True, False]
    if choices:
        texts = [item if isinstance(item, str) else json.dumps(item) for item in choices]
        is_text = all(isinstance(item, str) for item in choices)
        return serializers.ChoiceField(choices=texts, style={"is_text": is_text}, **options)
    style: dict[str, Any] = {"is_text": "string" in types}
    formats = {part.get("format") for part in branches} & _INPUTS.keys()
    if formats:
        style["input_type"] = _INPUTS[str(min(str(item) for item in formats))]
    elif types & {"object", "array"}:
        style["base_template"] = _TEXTAREA
    return serializers.CharField(style=style, trim_whitespace=False, **options)


def _help(schema: Mapping[str, Any], own: Any, required: bool) -> str:
    """Return what an empty field means; escaped, since DRF's templates take help as HTML."""
    if own == MASK:
        return "If empty: the task's own, which is secret."
    if own is not None:
        return escape(f"If empty: {json.dumps(own, ensure_ascii=False)}.")
    if required:
        return "Needed."
    if schema.get("writeOnly"):
        return "If empty: the function's own default, which is secret."
    return escape(f"If empty: {json.dumps(schema.get('default'), ensure_ascii=False)}.")


class FormRenderer(BrowsableAPIRenderer):
    """Pages for people who try the API."""

    def show_form_for_method(self, view: Any, method: str, request: Any, obj: Any) -> bool:
        """Whether the reader may make this call on what the page is about."""
        try:
            if obj is None and view.is_about_one:
                obj = view.object_of_page()
            return bool(super().show_form_for_method(view, method, request, obj))
        except ScheduledTasksError:
            return False

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        """Return the form; the view gives it a field for each parameter."""
        view.fills_form = True
        try:
            return super().get_rendered_html_form(data, view, method, request)
        except ScheduledTasksError:
            return None
        finally:
            view.fills_form = False
