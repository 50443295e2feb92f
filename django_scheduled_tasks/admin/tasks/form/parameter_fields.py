"""The form field of one parameter, chosen by its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_scheduled_tasks.admin.ui.html import with_query
from django_scheduled_tasks.json_checks import NotStorable, read_json
from django_scheduled_tasks.parameters import MODEL, SECRET_REFERENCE, is_reference

_TEXT_INPUTS = {"date": "date", "time": "time", "email": "email", "uri": "url"}


def only_branch(part: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the one schema that *part* allows beside null; without a type if there are several."""
    if "$ref" in part:
        return only_branch(defs.get(str(part["$ref"]).rpartition("/")[2], {}), defs)
    if "anyOf" in part:
        others = [item for item in part["anyOf"] if item.get("type") != "null"]
        return only_branch(others[0], defs) if len(others) == 1 else {"type": "any", "anyOf": others}
    return part


class ModelKeyInput(forms.TextInput):
    """An input for the key of a model's object, with the admin's own list of them to choose from.

    The model is looked up in the default admin site; without a page there it is an input like any other.
    """

    def __init__(self, model: str, attrs: Any = None) -> None:
        super().__init__({"class": "vForeignKeyRawIdAdminField", **(attrs or {})})
        self.model = model

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the input and the link that opens the list; the admin's script fills in what is chosen there."""
        drawn = super().render(name, value, attrs, renderer)
        try:
            model = apps.get_model(self.model)
            url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        except (LookupError, ValueError, NoReverseMatch):
            return drawn
        label = _("Choose: %(model)s") % {"model": model._meta.verbose_name}
        field = (attrs or {}).get("id") or name
        return format_html(
            '{} <a href="{}" class="related-lookup dst-lookup" id="lookup_{}" title="{}">{}…</a>',
            drawn,
            with_query(url, _to_field=model._meta.pk.name),
            field,
            label,
            label,
        )


class _JsonField(forms.CharField):
    """A field for any JSON value."""

    widget = forms.Textarea(attrs={"rows": 2, "class": "dst-mono", "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return read_json(text)
        except NotStorable as exc:
            raise ValidationError(str(exc)) from None
        except ValueError:
            raise ValidationError(_("This is not JSON; a text goes in quotes.")) from None


def field_of(name: str, part: Mapping[str, Any], branch: Mapping[str, Any], *, is_required: bool) -> forms.Field:
    """Return the form field of one parameter.

    Args:
        name: The name of the parameter.
        part: Its JSON Schema.
        branch: What :func:`only_branch` says about *part*.
        is_required: Whether the function has no default for it.
    """
    kind = branch.get("type")
    options: dict[str, Any] = {"label": name, "required": False}
    if "enum" in branch:
        blank = [] if is_required else [("", "—")]
        return forms.TypedChoiceField(
            choices=[*blank, *((str(item), str(item)) for item in branch["enum"])],
            coerce=lambda text: next((item for item in branch["enum"] if str(item) == text), text),
            empty_value=None,
            **options,
        )
    if MODEL in part or MODEL in branch:
        field: forms.Field = forms.IntegerField(**options) if kind == "integer" else forms.CharField(**options)
        field.widget = ModelKeyInput(str(part.get(MODEL) or branch.get(MODEL)))
        return field
    if kind == "boolean" and (is_required or isinstance(part.get("default"), bool)):
        return forms.BooleanField(**options)
    if kind == "boolean":
        return _yes_or_no(**options)
    if kind == "integer":
        return forms.IntegerField(**options)
    if kind == "number":
        return forms.FloatField(**options)
    if kind == "string" and (part.get("writeOnly") or branch.get("writeOnly")):
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        return forms.CharField(widget=widget, strip=False, **options)
    if kind == "string" or _is_number_or_text(branch):
        text_input = forms.TextInput(attrs={"class": "vTextField"})
        text_input.input_type = _TEXT_INPUTS.get(str(branch.get("format", "")), "text")
        return forms.CharField(widget=text_input, **options)
    return _JsonField(**options)


def reference_field(name: str, other: forms.Field) -> forms.Field:
    """Return the field of a parameter that refers to a secret, in place of the *other* one of its type."""
    widget = forms.TextInput(attrs={"class": "vTextField dst-mono", "spellcheck": "false"})
    return forms.CharField(label=name, required=False, help_text=other.help_text, widget=widget)


def with_reference(value: Any) -> Any:
    """Return *value*, or the reference to a secret that is written in it: ``{"$secret": "STRIPE_KEY"}``."""
    if isinstance(value, str) and SECRET_REFERENCE in value:
        with suppress(ValueError):
            found = json.loads(value)
            return found if is_reference(found) else value
    return value


def _is_number_or_text(branch: Mapping[str, Any]) -> bool:
    """Whether it is a Decimal, which pydantic describes as "number or string"."""
    return sorted(str(item.get("type")) for item in branch.get("anyOf", ())) == ["number", "string"]


def _yes_or_no(**options: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        choices=[("", "—"), ("true", _("Yes")), ("false", _("No"))],
        coerce=lambda text: text == "true",
        empty_value=None,
        **options,
    )


def hide(field: forms.Field) -> forms.Field:
    """Return the field of a parameter with a secret value, which is not shown; an empty input keeps it."""
    if isinstance(field, forms.BooleanField):  # an unchecked box would mean False, so it cannot mean "unchanged"
        field = _yes_or_no(label=field.label, required=False, help_text=field.help_text)
    if isinstance(field, forms.TypedChoiceField):
        choices: Any = field.choices
        field.choices = [("", _("unchanged")), *(choice for choice in choices if choice[0])]
    else:
        field.widget = forms.PasswordInput(attrs={"placeholder": _("unchanged"), "autocomplete": "off"})
    return field


def as_input(value: Any, field: forms.Field) -> Any:
    """Return *value* in the form that the widget of *field* shows."""
    if isinstance(field, _JsonField):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(field, forms.TypedChoiceField) and isinstance(value, bool):
        return str(value).lower()
    return value
