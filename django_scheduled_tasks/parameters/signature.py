"""The parameters of one function: its signature as a pydantic model and as a JSON Schema; JSON and typed values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args, get_type_hints

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python
from pydantic_core.core_schema import ErrorType

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.exceptions import FieldError, InvalidParameters
from django_scheduled_tasks.json_checks import NotStorable, check_storable, check_text, too_deep
from django_scheduled_tasks.parameters.masking import Tree, at_secrets, describe, find, hide, masks, merged
from django_scheduled_tasks.parameters.names import sounds_secret
from django_scheduled_tasks.parameters.references import (
    check_names,
    is_reference,
    references,
    replaced,
    resolved,
    texts_of,
    value_of,
)

_QUOTES_NOTHING = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}
"""pydantic's own kinds of errors, whose messages do not repeat the value."""
_LEAST_NAMED = 4
"""What is secret by its name alone, and shorter than this, is not looked for in texts."""


class SecretTexts(NamedTuple):
    """Texts that are secret, to be taken out of logs, errors and results."""

    declared: frozenset[str] = frozenset()
    """Annotated so."""
    named: frozenset[str] = frozenset()
    """Called so; or it is only known that they were secret."""


@dataclass(frozen=True)
class Parameters:
    """The parameters of one function.

    Args:
        function: Its signature says everything; a parameter without an annotation takes any JSON value.
        name: What to call the function in messages.
    Raises:
        ImproperlyConfigured: A parameter cannot be given as JSON; raised at first use.
    """

    function: Callable[..., Any]
    name: str

    @cached_property
    def model(self) -> type[BaseModel]:
        """The pydantic model; fields are numbered and carry the parameter's name as alias.

        So a parameter may be called ``json``, ``copy`` or ``_x``, which pydantic forbids as names of fields.
        """
        fields: dict[str, Any] = {}
        extra: Literal["allow", "forbid"] = "forbid"
        try:
            hints = get_type_hints(self.function, include_extras=True)
        except Exception as exc:  # an annotation is an expression, and from Python 3.14 on evaluated only here
            raise ImproperlyConfigured(f"The annotations of {self.name} cannot be read: {exc}") from exc
        for number, parameter in enumerate(inspect.signature(self.function).parameters.values()):
            if parameter.kind is parameter.VAR_KEYWORD:
                extra = "allow"
            elif parameter.kind is parameter.POSITIONAL_ONLY:
                raise ImproperlyConfigured(
                    f'The parameter "{parameter.name}" of {self.name} is positional-only; parameters are given by name.'
                )
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                default = ... if parameter.default is parameter.empty else parameter.default
                fields[f"p{number}"] = (hints.get(parameter.name, Any), Field(default, alias=parameter.name))
        config = ConfigDict(extra=extra, protected_namespaces=(), title=self.name, hide_input_in_errors=True)
        try:
            return create_model("Parameters", __config__=config, **fields)
        except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError) as exc:
            reason = str(exc).splitlines()[0]
            raise ImproperlyConfigured(f"A parameter of {self.name} cannot be given as JSON: {reason}") from exc

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of the parameters, an object, for everybody.

        What is secret, by annotation or by name, is ``writeOnly``, and has no default in it.
        """
        added = get_settings().SECRET_NAMES
        if added not in self._described:
            self._described[added] = describe(self.full_schema, self._defs, added)
        return self._described[added]

    @cached_property
    def _described(self) -> dict[tuple[str, ...], dict[str, Any]]:
        return {}

    @cached_property
    def full_schema(self) -> dict[str, Any]:
        """The JSON Schema as pydantic makes it, with the defaults of secrets: not to be shown.

        Raises:
            ImproperlyConfigured: There is none.
        """
        try:
            return self.model.model_json_schema(by_alias=True)
        except PydanticUserError as exc:
            reason = str(exc).splitlines()[0]
            raise ImproperlyConfigured(f"A parameter of {self.name} has no JSON Schema: {reason}") from exc

    @cached_property
    def _defs(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.full_schema.get("$defs", {})
        return found

    @cached_property
    def takes_any(self) -> bool:
        """Whether the function can be given any parameter."""
        return bool(inspect.signature(self.function).parameters)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the parameters that have no default."""
        return tuple(field.alias or "" for field in self.model.model_fields.values() if field.is_required())

    def typed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return *params* as the keyword arguments to call the function with; absent ones keep their defaults.

        Secrets that they refer to are looked up.

        Raises:
            InvalidParameters: One item for each wrong field, and for each secret that is not there.
        """
        return self._typed(resolved(params), params)

    def _typed(self, values_of: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        """Return *values_of* typed; *params* are the same with their references."""
        try:
            values = self.model.model_validate(dict(values_of))
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_input=False)
            raise InvalidParameters([self._field_error(error, params) for error in errors]) from exc
        known = {
            field.alias or "": getattr(values, name)
            for name, field in type(values).model_fields.items()
            if name in values.model_fields_set
        }
        return known | (values.model_extra or {})

    def clean(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return *params* as JSON, to be stored; they may be JSON already, or typed values.

        Raises:
            InvalidParameters: One item for each wrong field.
        """
        plain: dict[str, Any] = {}
        for name, value in params.items():
            field = "params"
            try:
                check_text(str(name))
                field = str(name)
                plain[field] = _plain(value)
            except NotStorable as exc:
                raise InvalidParameters([FieldError(field, str(exc), "not_json")]) from None
        if found := list(masks(plain)):
            message = _("this is the mask of a secret, not a value. Leave it out, or write the value.")
            raise InvalidParameters([FieldError(".".join(path), message, "masked") for path in found])
        check_names(plain)
        self._check(plain)
        return plain

    def _check(self, params: dict[str, Any]) -> None:
        """Check *params*; what refers to a secret that this process does not have may be of any type."""
        unknown = {path for path, name in references(params) if value_of(name) is None}
        try:
            self._typed(replaced(params), params)
        except InvalidParameters as exc:
            left = [one for one in exc.errors if not any(_is_within(one.field, path) for path in unknown)]
            if left:
                raise InvalidParameters(left) from exc.__cause__

    def secret_tree(self, params: Mapping[str, Any]) -> Tree:
        """Return where the secrets of *params* are.

        Secret is what is annotated ``SecretStr`` or ``SecretBytes``, however deep, and what is called so.
        """
        added = get_settings().SECRET_NAMES
        known = self.full_schema.get("properties", {})
        tree: Tree = {}
        for name, value in params.items():
            if value is None or is_reference(value):
                continue
            if sounds_secret(name, added):
                tree[name] = True
                continue
            may_have_some = name not in known or isinstance(value, (dict, list)) or name in self._declared
            if may_have_some and (below := find(value, self._part(name), self._defs, added)):
                tree[name] = below
        return tree

    @cached_property
    def _declared(self) -> frozenset[str]:
        """Parameters that are annotated as secret; those that are objects or arrays with secrets are not among them."""
        known = self.full_schema.get("properties", {})
        return frozenset(name for name, part in known.items() if find("", part, self._defs, None) is True)

    def _part(self, name: str) -> Mapping[str, Any]:
        """Return the schema of a parameter; what ``**options`` takes is none of the others, by whatever name."""
        known: Mapping[str, Any] = self.full_schema.get("properties", {})
        if name in known:
            part: Mapping[str, Any] = known[name]
            return part
        return {} if self.model.model_config.get("extra") == "allow" else {"anyOf": list(known.values())}

    def mask(self, params: Mapping[str, Any], known: Tree | None = None) -> dict[str, Any]:
        """Return *params* to be shown: secrets replaced by ``MASK``.

        Args:
            params: JSON.
            known: Where secrets were when *params* were stored, whatever the signature says today.
        """
        shown: dict[str, Any] = hide(dict(params), merged(self.secret_tree(params), known))
        return shown

    def secrets(self, params: Mapping[str, Any], known: Tree | None = None) -> SecretTexts:
        """Return the texts in *params* that are secret, so that they can be taken out of logs."""
        declared = {
            name: below for name, value in params.items() if (below := find(value, self._part(name), self._defs, None))
        }
        found = texts_at(params, merged(self.secret_tree(params), known))
        texts = frozenset(str(item) for item in at_secrets(dict(params), declared) if str(item))
        texts |= texts_of(params)
        return SecretTexts(texts, found.named - texts)

    def _field_error(self, error: Any, params: Mapping[str, Any]) -> FieldError:
        message = {
            "missing": _("this function needs it."),
            "extra_forbidden": _("this function has no such parameter."),
        }.get(error["type"], error["msg"])
        concerned = {error["loc"][0]: params.get(error["loc"][0])} if error["loc"] else params
        is_secret = bool(self.secret_tree(concerned)) or next(references(concerned), None) is not None
        if error["type"] not in _QUOTES_NOTHING and is_secret:
            message = _("the function does not accept this value.")  # its own message may repeat the secret
        code = {"extra_forbidden": "unknown"}.get(error["type"], error["type"])
        return FieldError(".".join(str(part) for part in error["loc"]) or "params", message, code)


def _is_within(field: str, path: tuple[str, ...]) -> bool:
    """Whether an error is about the value at *path*; pydantic names alternatives of a type behind it."""
    return field == ".".join(path) or field.startswith(f"{'.'.join(path)}.")


def secrets_by_name(params: Mapping[str, Any]) -> Tree:
    """Return where the secrets of *params* are, of a function that is not in the code, as far as names say it."""
    found: Tree = find(dict(params), {}, {}, get_settings().SECRET_NAMES)
    return found


def texts_at(params: Mapping[str, Any], tree: Tree) -> SecretTexts:
    """Return the texts in *params* that are secret since *tree* says so."""
    texts = (str(item) for item in at_secrets(dict(params), tree))
    return SecretTexts(named=frozenset(text for text in texts if len(text) >= _LEAST_NAMED))


def _plain(value: Any) -> Any:
    """Return *value* as JSON that can be stored."""
    try:
        plain = to_jsonable_python(_reveal(value), inf_nan_mode="constants")
    except (PydanticSerializationError, UnicodeError):
        raise NotStorable(_("%(type)s cannot be given as JSON.") % {"type": type(value).__name__}) from None
    except (RecursionError, ValueError):  # pydantic has a limit, too, and notices what is within itself
        raise too_deep() from None
    check_storable(plain)
    return plain


def _reveal(value: Any) -> Any:
    """Unwrap secrets: pydantic would serialise them as asterisks."""
    if isinstance(value, (SecretStr, SecretBytes)):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {key: _reveal(item) for key, item in value.items()}
    if isinstance(value, BaseModel):
        return {name: _reveal(getattr(value, name)) for name in value.model_fields_set}
    return [_reveal(item) for item in value] if isinstance(value, (list, tuple, set, frozenset)) else value
