"""A form for the parameters of a function, made from its signature; or the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_scheduled_tasks.admin.widgets import dress
from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidParameters
from django_scheduled_tasks.parameters import MASK, mask_by_name
from django_scheduled_tasks.registry import RegisteredFunction, registry

PREFIX = "param"
_TEXT_INPUTS = {"date": "date", "time": "time", "email": "email", "uri": "url"}


class ParametersForm(forms.Form):
    """The parameters of one function.

    Args:
        function: Its name; one that is not in the code has its parameters as JSON only.
        params: What is given already; secrets among them are never shown.
        needs_all: Whether what has no default has to be given here.
    """

    use_json = forms.BooleanField(required=False, label=gettext_lazy("Use this instead of the fields above"))
    as_json = forms.CharField(
        required=False,
        label=gettext_lazy("Parameters as JSON"),
        widget=forms.Textarea(attrs={"rows": 5, "class": "vLargeTextField dst-mono", "spellcheck": "false"}),
    )

    def __init__(
        self, function: str, params: Mapping[str, Any], *, data: Any = None, needs_all: bool = False, auto_id: str = ""
    ) -> None:
        super().__init__(data=data, prefix=PREFIX, auto_id=auto_id or "id_%s")
        self.function = function
        self.stored = dict(params)
        self.registered = _registered(function)
        shown = self.masked(self.stored)
        self.names = list(self._add_fields(shown, needs_all=needs_all))
        dress(self)
        self.initial["as_json"] = json.dumps(shown, indent=2, ensure_ascii=False, sort_keys=True)
        self.initial["use_json"] = bool(self.stored.keys() - set(self.names))
        if data is None or f"{PREFIX}-as_json" not in data:
            self.is_bound = False

    def masked(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return *params* without secrets."""
        if self.registered is None:
            found: dict[str, Any] = mask_by_name(dict(params))
            return found
        return self.registered.parameters.mask(params)

    def _add_fields(self, shown: Mapping[str, Any], *, needs_all: bool) -> Iterator[str]:
        if self.registered is None:
            return
        schema = self.registered.parameters.json_schema
        required = self.registered.parameters.required
        for name, part in schema.get("properties", {}).items():
            branch = _only_branch(part, schema.get("$defs", {}))
            needed = needs_all and name in required
            field = _field_of(name, part, branch, is_required=name in required)
            field.help_text = _help(part, branch, is_required=name in required)
            value = shown.get(name)
            field.dst_secret = value == MASK  # type: ignore[attr-defined]
            if field.dst_secret:  # type: ignore[attr-defined]
                field.widget = forms.PasswordInput(attrs={"placeholder": _("unchanged"), "autocomplete": "off"})
            elif name in shown:
                field.initial = _as_input(value, field)
            elif "default" in part and isinstance(field, forms.BooleanField):
                field.initial = bool(part["default"])
            field.widget.attrs["data-dst-needed"] = "1" if needed else ""
            self.fields[_key(name)] = field
            yield name

    def rows(self) -> list[forms.BoundField]:
        """Return the fields of the parameters, in the order of the signature."""
        return [self[_key(name)] for name in self.names]

    @property
    def json_field(self) -> forms.BoundField:
        """All parameters as one JSON object."""
        return self["as_json"]

    @property
    def json_switch(self) -> forms.BoundField:
        """Whether the JSON is what counts."""
        return self["use_json"]

    def values(self) -> dict[str, Any]:
        """Return the parameters that were entered; what was left empty keeps the function's default."""
        if self.cleaned_data.get("use_json") or self.registered is None:
            return self._from_json()
        found: dict[str, Any] = {}
        for name in self.names:
            value = self.cleaned_data.get(_key(name))
            field = self.fields[_key(name)]
            if value in (None, "") and getattr(field, "dst_secret", False):
                found[name] = self.stored[name]
            elif value not in (None, ""):
                found[name] = value
        # What the signature does not know (**options) is not lost.
        return {name: value for name, value in self.stored.items() if name not in self.names} | found

    def _from_json(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data.get("as_json_value", {})
        unmasked: dict[str, Any] = _unmasked(found, self.stored)
        return unmasked

    def clean(self) -> dict[str, Any]:
        """Read the JSON, if that is what counts."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("use_json") or self.registered is None:
            try:
                value = json.loads(cleaned.get("as_json") or "{}")
            except ValueError as exc:
                self.add_error("as_json", _("This is not JSON: %(reason)s.") % {"reason": exc})
            else:
                if not isinstance(value, dict):
                    self.add_error("as_json", _("This is not a JSON object; write {…}."))
                cleaned["as_json_value"] = value if isinstance(value, dict) else {}
        return cleaned

    def add_parameter_error(self, name: str, message: str) -> None:
        """Show an error at the parameter it is about."""
        first = name.partition(".")[0]
        key = _key(first)
        if key in self.fields and not self.cleaned_data.get("use_json"):
            self.add_error(key, ValidationError(message if first == name else f"{name}: {message}"))
        else:
            self.add_error("as_json", ValidationError(f"{name}: {message}"))

    def check(self, params: Mapping[str, Any]) -> bool:
        """Whether the function takes *params*; what is wrong is shown at the fields."""
        if self.registered is None:
            return True
        try:
            self.registered.parameters.clean(params)
        except InvalidParameters as exc:
            for wrong in exc.errors:
                self.add_parameter_error(wrong.field, wrong.message)
            return False
        return True

    @property
    def opens_json(self) -> bool:
        """Whether the JSON is what one sees first."""
        return bool(self["use_json"].value() or self.registered is None or "as_json" in self.errors)

    def as_html(self) -> SafeString:
        """Return the fields and the JSON, without a form element."""
        return render_to_string("admin/django_scheduled_tasks/parameters.html", {"parameters": self})


class ParametersWidget(forms.Widget):
    """Shows a :class:`ParametersForm` as one field of another form."""

    use_fieldset = True

    def __init__(self, form: ParametersForm, url: str = "") -> None:
        super().__init__()
        self.form = form
        self.url = url

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the form, in an element that is drawn anew when another function is chosen."""
        del name, value, attrs, renderer
        context = {"parameters": self.form, "url": self.url}
        return render_to_string("admin/django_scheduled_tasks/parameters_field.html", context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> None:
        """The form inside reads its own values."""
        return

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Never: it is always there."""
        return False


def _registered(function: str) -> RegisteredFunction | None:
    try:
        return registry.get(function)
    except FunctionNotRegistered:
        return None


def _key(name: str) -> str:
    return f"p-{name}"


def _only_branch(part: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the one schema that *part* stands for besides null; empty if there are several."""
    if "$ref" in part:
        return _only_branch(defs.get(str(part["$ref"]).rpartition("/")[2], {}), defs)
    if "anyOf" in part:
        others = [item for item in part["anyOf"] if item.get("type") != "null"]
        return _only_branch(others[0], defs) if len(others) == 1 else {"type": "any", "anyOf": others}
    return part


class _JsonField(forms.CharField):
    """Any JSON value."""

    widget = forms.Textarea(attrs={"rows": 2, "class": "dst-mono", "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise ValidationError(_("This is not JSON; a text goes in quotes.")) from None


def _field_of(name: str, part: Mapping[str, Any], branch: Mapping[str, Any], *, is_required: bool) -> forms.Field:
    kind, options = branch.get("type"), {"label": name, "required": False}
    if "enum" in branch:
        blank = [] if is_required else [("", "—")]
        return forms.TypedChoiceField(
            choices=[*blank, *((str(item), str(item)) for item in branch["enum"])],
            coerce=lambda text: next((item for item in branch["enum"] if str(item) == text), text),
            empty_value=None,
            **options,  # type: ignore[arg-type]
        )
    if kind == "boolean" and (is_required or isinstance(part.get("default"), bool)):
        return forms.BooleanField(**options)  # type: ignore[arg-type]
    if kind == "boolean":
        return forms.TypedChoiceField(
            choices=[("", "—"), ("true", _("Yes")), ("false", _("No"))],
            coerce=lambda text: text == "true",
            empty_value=None,
            **options,  # type: ignore[arg-type]
        )
    if kind == "integer":
        return forms.IntegerField(**options)  # type: ignore[arg-type]
    if kind == "number":
        return forms.FloatField(**options)  # type: ignore[arg-type]
    if kind == "string" and branch.get("format") == "password":
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
        return forms.CharField(widget=widget, strip=False, **options)  # type: ignore[arg-type]
    if kind == "string" or _is_number_or_text(branch):
        text_input = forms.TextInput(attrs={"class": "vTextField"})
        text_input.input_type = _TEXT_INPUTS.get(str(branch.get("format", "")), "text")
        return forms.CharField(widget=text_input, **options)  # type: ignore[arg-type]
    return _JsonField(**options)  # type: ignore[arg-type]


def _is_number_or_text(branch: Mapping[str, Any]) -> bool:
    """Whether it is a Decimal: pydantic says that it is a number or a text."""
    return sorted(str(item.get("type")) for item in branch.get("anyOf", ())) == ["number", "string"]


def _as_input(value: Any, field: forms.Field) -> Any:
    if isinstance(field, _JsonField):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(field, forms.TypedChoiceField) and isinstance(value, bool):
        return str(value).lower()
    return value


def _help(part: Mapping[str, Any], branch: Mapping[str, Any], *, is_required: bool) -> str:
    if is_required:
        return _("No default: this function needs it.")
    if part.get("default") is None or branch.get("type") == "boolean" or branch.get("format") == "password":
        return ""
    return _("Default: %(value)s") % {"value": part["default"]}


def _unmasked(value: Any, stored: Any) -> Any:
    """Put stored secrets back where their mask was left as it is."""
    if value == MASK and isinstance(stored, str):
        return stored
    if isinstance(value, dict):
        known = stored if isinstance(stored, dict) else {}
        return {key: _unmasked(item, known.get(key)) for key, item in value.items()}
    if isinstance(value, list):
        known_items = stored if isinstance(stored, list) else []
        return [
            _unmasked(item, known_items[place] if place < len(known_items) else None)
            for place, item in enumerate(value)
        ]
    return value
