"""A form for the parameters of a function, built from its signature, with JSON as the alternative."""

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

from django_scheduled_tasks.admin.tasks.form.parameter_fields import (
    as_input,
    field_of,
    hide,
    only_branch,
    reference_field,
    with_reference,
)
from django_scheduled_tasks.admin.tasks.form.parameter_help import help_of, limits_of
from django_scheduled_tasks.admin.ui.widgets import style_widgets
from django_scheduled_tasks.declarations import RegisteredFunction
from django_scheduled_tasks.exceptions import FunctionNotRegistered, InvalidParameters
from django_scheduled_tasks.json_checks import NotStorable, read_json
from django_scheduled_tasks.parameters import MASK, Tree, is_reference
from django_scheduled_tasks.registry import registry
from django_scheduled_tasks.services.secrets import shown, with_secrets

PREFIX = "param"


class ParametersForm(forms.Form):
    """The parameters of one function.

    Args:
        function: Its name. A function that is not registered gets the JSON field only.
        params: The present values; secrets among them are never shown.
        known: Where secrets were when the values were stored.
        needs_all: Whether parameters without a default must be entered.
    """

    use_json = forms.BooleanField(required=False, label=gettext_lazy("Use this instead of the fields above"))
    as_json = forms.CharField(
        required=False,
        label=gettext_lazy("Parameters as JSON"),
        widget=forms.Textarea(attrs={"rows": 5, "class": "vLargeTextField dst-mono", "spellcheck": "false"}),
    )

    def __init__(
        self,
        function: str,
        params: Mapping[str, Any],
        *,
        known: Tree | None = None,
        data: Any = None,
        needs_all: bool = False,
        auto_id: str = "",
    ) -> None:
        super().__init__(data=data, prefix=PREFIX, auto_id=auto_id or "id_%s")
        self.function = function
        self.stored = dict(params)
        self.known = known
        self.registered = _registered(function)
        self.hidden: set[str] = set()
        self.unreadable: frozenset[str] = frozenset()
        """The fields whose input could not be read: what the function says about those is beside the point."""
        self.shown = self.masked(self.stored, known)
        self.names = list(self._add_fields(self.shown, needs_all=needs_all))
        style_widgets(self)
        self.initial["as_json"] = json.dumps(self.shown, indent=2, ensure_ascii=False, sort_keys=True)
        self.initial["use_json"] = bool(self.stored.keys() - set(self.names))
        self.is_bound = data is not None and f"{PREFIX}-as_json" in data

    def masked(self, params: Mapping[str, Any], known: Tree | None = None) -> dict[str, Any]:
        """Return *params* with secrets masked."""
        if self.registered is None:
            return shown(self.function, params, known)
        return self.registered.parameters.mask(params, known)

    def _add_fields(self, shown: Mapping[str, Any], *, needs_all: bool) -> Iterator[str]:
        if self.registered is None:
            return
        schema = self.registered.parameters.json_schema
        required = self.registered.parameters.required
        for name, part in schema.get("properties", {}).items():
            branch = only_branch(part, schema.get("$defs", {}))
            needed = needs_all and name in required
            field = field_of(name, part, branch, is_required=name in required)
            # A default, and an example, may be a secret as well.
            is_secret = bool(branch.get("writeOnly") or part.get("writeOnly")) or self.masked({name: "x"})[name] == MASK
            defs, is_required = schema.get("$defs", {}), name in required
            field.help_text = help_of(part, branch, defs, is_required=is_required, is_secret=is_secret)
            value = shown.get(name)
            if value == MASK:
                field = hide(field)
                self.hidden.add(name)
            elif is_reference(value):
                field = reference_field(name, field)
                field.initial = json.dumps(value)
            elif name in shown:
                field.initial = as_input(value, field)
            elif "default" in part and isinstance(field, forms.BooleanField):
                field.initial = bool(part["default"])
            field.widget.attrs["data-dst-needed"] = "1" if needed else ""
            if name in required:
                field.widget.attrs["aria-required"] = "true"
            if isinstance(field.widget, forms.NumberInput):
                field.widget.attrs |= limits_of(part, branch)
            self.fields[_key(name)] = field
            yield name

    def rows(self) -> list[forms.BoundField]:
        """Return the fields of the parameters, in the order of the signature."""
        return [self[_key(name)] for name in self.names]

    @property
    def json_field(self) -> forms.BoundField:
        """The field for all parameters as one JSON object."""
        return self["as_json"]

    @property
    def json_switch(self) -> forms.BoundField:
        """The checkbox "use the JSON"."""
        return self["use_json"]

    def values(self) -> dict[str, Any]:
        """Return the entered parameters; an empty input keeps the function's default."""
        return with_secrets(self.function, self.asked(), self.stored, self.known)

    def asked(self) -> dict[str, Any]:
        """Return the same with a mask for each secret that stays as it is, to be put back from the locked row."""
        if self.cleaned_data.get("use_json") or self.registered is None:
            whole: dict[str, Any] = self.cleaned_data.get("as_json_value", {})
            return whole
        found: dict[str, Any] = {}
        for name in self.names:
            value = self.cleaned_data.get(_key(name))
            if value in (None, "") and name in self.hidden:
                found[name] = MASK
            elif value not in (None, ""):
                found[name] = with_reference(value)
        # Keep stored values that the signature does not name (**options).
        return {name: value for name, value in self.shown.items() if name not in self.names} | found

    def clean(self) -> dict[str, Any]:
        """Parse the JSON, if it is used."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("use_json") or self.registered is None:
            try:
                value = read_json(cleaned.get("as_json") or "{}")
            except NotStorable as exc:
                self.add_error("as_json", str(exc))
            except ValueError as exc:
                self.add_error("as_json", _("This is not JSON: %(reason)s.") % {"reason": exc})
            else:
                if not isinstance(value, dict):
                    self.add_error("as_json", _("This is not a JSON object; write {…}."))
                cleaned["as_json_value"] = value if isinstance(value, dict) else {}
        return cleaned

    def add_parameter_error(self, name: str, message: str) -> None:
        """Show an error at the field of its parameter."""
        first = name.partition(".")[0]
        key = _key(first)
        if key in self.unreadable:  # it says so already
            return
        if key in self.fields and not self.cleaned_data.get("use_json"):
            self.add_error(key, ValidationError(message if first == name else f"{name}: {message}"))
        else:
            self.add_error("as_json", ValidationError(f"{name}: {message}"))

    def check(self, params: Mapping[str, Any]) -> bool:
        """Whether the function accepts *params*; errors are shown at the fields."""
        if self.registered is None or "as_json" in self.errors:
            return "as_json" not in self.errors
        self.unreadable = frozenset(self.errors)
        try:
            self.registered.parameters.clean(params)
        except InvalidParameters as exc:
            for wrong in exc.errors:
                self.add_parameter_error(wrong.field, wrong.message)
            return False
        return not self.unreadable

    @property
    def opens_json(self) -> bool:
        """Whether the JSON field is open at first."""
        return bool(self["use_json"].value() or self.registered is None or "as_json" in self.errors)

    def as_html(self) -> SafeString:
        """Return the fields as HTML, without a form element."""
        return render_to_string("admin/django_scheduled_tasks/parameters.html", {"parameters": self})


class ParametersWidget(forms.Widget):
    """A widget that shows a :class:`ParametersForm` as one field of another form."""

    use_fieldset = True

    def __init__(self, form: ParametersForm, url: str = "") -> None:
        super().__init__()
        self.form = form
        self.url = url

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the form, in an element that htmx replaces when another function is chosen."""
        del name, value, attrs, renderer
        context = {"parameters": self.form, "url": self.url}
        return render_to_string("admin/django_scheduled_tasks/parameters_field.html", context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> None:
        """Return nothing: the inner form reads its own values."""
        return

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Return False: the inner form is always sent."""
        return False


def _registered(function: str) -> RegisteredFunction | None:
    try:
        return registry.get(function)
    except FunctionNotRegistered:
        return None


def _key(name: str) -> str:
    return f"p-{name}"
