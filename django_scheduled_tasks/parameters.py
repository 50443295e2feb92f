"""Parameters of a function: its signature as a pydantic model and JSON Schema; typed values from JSON."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_type_hints

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from django_scheduled_tasks.exceptions import FieldError, InvalidParameters
from django_scheduled_tasks.json_checks import NotStorable, check_storable, check_text, too_deep

MASK = "••••••••"
"""What is shown in place of a secret."""
_SECRET_WORDS = ("password", "token", "secret", "key")


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
        config = ConfigDict(extra=extra, protected_namespaces=(), title=self.name)
        try:
            return create_model("Parameters", __config__=config, **fields)
        except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError) as exc:
            reason = str(exc).splitlines()[0]
            raise ImproperlyConfigured(f"A parameter of {self.name} cannot be given as JSON: {reason}") from exc

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of the parameters, an object."""
        try:
            return self.model.model_json_schema(by_alias=True)
        except PydanticUserError as exc:
            reason = str(exc).splitlines()[0]
            raise ImproperlyConfigured(f"A parameter of {self.name} has no JSON Schema: {reason}") from exc

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the parameters that have no default."""
        return tuple(field.alias or "" for field in self.model.model_fields.values() if field.is_required())

    def typed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return *params* as the keyword arguments to call the function with; absent ones keep their defaults.

        Raises:
            InvalidParameters: One item for each wrong field.
        """
        try:
            values = self.model.model_validate(dict(params))
        except ValidationError as exc:
            raise InvalidParameters([_field_error(error) for error in exc.errors(include_url=False)]) from exc
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
        self.typed(plain)
        return plain

    def mask(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return *params* to be shown: secrets replaced by :data:`MASK`.

        Secret is what is annotated ``SecretStr`` or ``SecretBytes``, however deep, and what is called so
        (a name with password, token, secret or key in it).
        """
        masked: dict[str, Any] = _masked(dict(params), self._schema_of(params), self.json_schema.get("$defs", {}))
        return masked

    def secrets(self, params: Mapping[str, Any]) -> frozenset[str]:
        """Return the texts in *params* that are declared secret, so that they can be taken out of logs."""
        return frozenset(_secret_texts(dict(params), self._schema_of(params), self.json_schema.get("$defs", {})))

    def _schema_of(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema of *params*; what ``**options`` takes has a name of its own, and no other parameter's."""
        if self.model.model_config.get("extra") != "allow":
            return self.json_schema
        known: Mapping[str, Any] = self.json_schema.get("properties", {})
        return self.json_schema | {"properties": {name: known.get(name, {}) for name in params}}


def mask_by_name(value: Any) -> Any:
    """Return a JSON *value* to be shown, masked by names alone, for a function that is no longer in the code."""
    if isinstance(value, dict):
        return {key: MASK if _sounds_secret(key) else mask_by_name(item) for key, item in value.items()}
    return [mask_by_name(item) for item in value] if isinstance(value, list) else value


def unmasked(given: Any, stored: Any) -> Any:
    """Return *given* with each mask in it replaced by what is stored at its place, so that what was read can be put."""
    if isinstance(given, dict) and isinstance(stored, dict):
        return {key: unmasked(item, stored.get(key)) for key, item in given.items()}
    if isinstance(given, list) and isinstance(stored, list):
        padded = [*stored, *[None] * max(len(given) - len(stored), 0)]
        return [unmasked(item, old) for item, old in zip(given, padded, strict=False)]
    return stored if given == MASK and stored is not None else given


def _field_error(error: Any) -> FieldError:
    message = {
        "missing": _("this function needs it."),
        "extra_forbidden": _("this function has no such parameter."),
    }.get(error["type"], error["msg"])
    code = {"extra_forbidden": "unknown"}.get(error["type"], error["type"])
    return FieldError(".".join(str(part) for part in error["loc"]) or "params", message, code)


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


def _sounds_secret(name: object) -> bool:
    return any(word in str(name).lower() for word in _SECRET_WORDS)


def _branches(schema: Any, defs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas that *schema* stands for, references and alternatives resolved."""
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        yield from _branches(defs.get(str(schema["$ref"]).rpartition("/")[2]), defs)
    yield schema
    for word in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(word, ()):
            yield from _branches(part, defs)


def _is_secret(schemas: list[Mapping[str, Any]]) -> bool:
    return any(schema.get("writeOnly") and schema.get("format") == "password" for schema in schemas)


def _children(value: Any, schemas: list[Mapping[str, Any]]) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """Yield (key, item, its schema) for each item of an object or array."""
    if isinstance(value, dict):
        for key, item in value.items():
            found = [schema["properties"][key] for schema in schemas if key in schema.get("properties", {})]
            yield key, item, {"anyOf": found or list(_unnamed(schemas))}
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found = [schema["items"] for schema in schemas if "items" in schema]
            found += [part for schema in schemas for part in schema.get("prefixItems", [])[number : number + 1]]
            yield number, item, {"anyOf": found}


def _unnamed(schemas: list[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield the schemas that may be of a key that no schema names.

    It may be a field all the same: pydantic also takes other aliases and the field's own name, of which its schema
    says nothing. So whatever the object's fields are, it may be.
    """
    for schema in schemas:
        yield from schema.get("patternProperties", {}).values()
        yield schema.get("additionalProperties", {})
        yield from schema.get("properties", {}).values()


def _masked(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    schemas = list(_branches(schema, defs))
    if _is_secret(schemas) and value is not None:
        return MASK
    if isinstance(value, dict):
        return {
            key: MASK if _sounds_secret(key) and item is not None else _masked(item, part, defs)
            for key, item, part in _children(value, schemas)
        }
    if isinstance(value, list):
        return [_masked(item, part, defs) for _number, item, part in _children(value, schemas)]
    return value


def _secret_texts(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[str]:
    schemas = list(_branches(schema, defs))
    if not _is_secret(schemas):
        for _key, item, part in _children(value, schemas):
            yield from _secret_texts(item, part, defs)
    elif isinstance(value, str) and value:
        yield value
    elif isinstance(value, (dict, list)):  # it is masked as a whole
        for item in value.values() if isinstance(value, dict) else value:
            yield from _secret_texts(item, schema, defs)
