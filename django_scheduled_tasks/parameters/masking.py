"""Where the secrets are in JSON values, and what is shown in their place.

A *tree* says where: ``{"password": True, "servers": {"0": {"token": True}}}``. It has the keys of objects and the
numbers of array items on the way to each secret; ``True`` is the secret, as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from django_scheduled_tasks.parameters.names import sounds_secret
from django_scheduled_tasks.parameters.references import is_reference

MASK = "••••••••"
"""What is shown in place of a secret."""
Tree: TypeAlias = dict[str, Any]
"""Values are ``True`` or trees."""
Schema: TypeAlias = Mapping[str, Any]


# --- where they are -----------------------------------------------------------------------------------------------


def find(value: Any, schema: Schema, defs: Schema, added: tuple[str, ...] | None) -> Any:
    """Return where the secrets of *value* are: a tree, ``True`` for the whole, or an empty tree.

    Args:
        value: JSON.
        schema: Its JSON Schema; what is annotated ``SecretStr`` is write-only there.
        defs: The schemas that it refers to.
        added: Names that are secret beside our own; None: names say nothing.
    """
    if value is None or is_reference(value):
        return {}
    schemas = list(_branches(schema, defs))
    if is_secret(schemas):
        return True
    found: Tree = {}
    for key, item, part in _children(value, schemas):
        if added is not None and isinstance(value, dict) and item is not None and sounds_secret(key, added):
            found[str(key)] = True
        elif below := find(item, part, defs, added):
            found[str(key)] = below
    return found


def is_secret(schemas: list[Schema]) -> bool:
    """Whether one of the *schemas* of a value says that it is never shown."""
    return any(schema.get("writeOnly") for schema in schemas)


def merged(one: Any, other: Any) -> Any:
    """Return a tree with the secrets of both."""
    if not one or not other or one is True or other is True:
        return True if True in (one, other) else one or other or {}
    return {key: merged(one.get(key), other.get(key)) for key in {**one, **other}}


def _branches(schema: Any, defs: Schema) -> Iterator[Schema]:
    """Yield the schemas that *schema* stands for, references and alternatives resolved."""
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema:
        yield from _branches(defs.get(str(schema["$ref"]).rpartition("/")[2]), defs)
    yield schema
    for word in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(word, ()):
            yield from _branches(part, defs)


def _children(value: Any, schemas: list[Schema]) -> Iterator[tuple[Any, Any, Schema]]:
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


def _unnamed(schemas: list[Schema]) -> Iterator[Any]:
    """Yield the schemas that may be of a key that no schema names.

    It may be a field all the same: pydantic also takes other aliases and the field's own name, of which its schema
    says nothing. So whatever the object's fields are, it may be.
    """
    for schema in schemas:
        yield from schema.get("patternProperties", {}).values()
        yield schema.get("additionalProperties", {})
        yield from schema.get("properties", {}).values()


# --- what is shown ------------------------------------------------------------------------------------------------


def hide(value: Any, tree: Any) -> Any:
    """Return *value* to be shown: :data:`MASK` where *tree* says that a secret is; ``None`` stays."""
    if tree is True:
        return MASK if value is not None and not is_reference(value) else value
    if not tree or is_reference(value):
        return value
    if isinstance(value, dict):
        return {key: hide(item, tree.get(str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [hide(item, tree.get(str(number))) for number, item in enumerate(value)]
    return value


def hide_all(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return *params* of which nobody knows what is secret: each value is hidden."""
    return {key: hide(value, True) for key, value in params.items()}


def at_secrets(value: Any, tree: Any) -> Iterator[Any]:
    """Yield the texts and numbers that are secret, those inside a secret object or array one by one."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from at_secrets(item, tree is True or (tree or {}).get(str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from at_secrets(item, tree is True or (tree or {}).get(str(number)))
    elif tree is True and not isinstance(value, bool) and value is not None:
        yield value


def describe(schema: Schema, defs: Schema, added: tuple[str, ...]) -> dict[str, Any]:
    """Return *schema* for everybody: secret by name is write-only too, and no default or example shows a secret."""
    found = dict(schema)
    for word in ("$defs", "properties", "patternProperties"):
        if word in found:
            found[word] = {key: describe(part, defs, added) for key, part in found[word].items()}
    for word in ("items", "additionalProperties"):
        if isinstance(found.get(word), Mapping):
            found[word] = describe(found[word], defs, added)
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if word in found:
            found[word] = [describe(part, defs, added) for part in found[word]]
    for key, part in found.get("properties", {}).items():
        if sounds_secret(key, added) or is_secret(list(_branches(part, defs))):
            found["properties"][key] = _write_only(part)
    if "default" in found:
        found["default"] = hide(found["default"], find(found["default"], schema, defs, added))
    if "examples" in found:
        found["examples"] = [hide(item, find(item, schema, defs, added)) for item in found["examples"]]
    return found


def _write_only(part: Schema) -> dict[str, Any]:
    kept = {word: value for word, value in part.items() if word not in {"default", "examples", "example"}}
    return kept | {"writeOnly": True} | ({"format": "password"} if part.get("type") == "string" else {})


# --- what comes back ----------------------------------------------------------------------------------------------


def unmasked(given: Any, stored: Any, shown: Any) -> Any:
    """Return *given* with each mask in it replaced by what is stored at its place, so that what was read can be put.

    A mask that hides nothing there stays; :meth:`Parameters.clean` refuses it.

    Args:
        given: What came back.
        stored: The value with its secrets.
        shown: The same as it was shown.
    """
    if isinstance(given, str):
        return stored if given == shown == MASK else given
    if isinstance(given, dict) and isinstance(stored, dict) and isinstance(shown, dict):
        return {key: unmasked(item, stored.get(key), shown.get(key)) for key, item in given.items()}
    if isinstance(given, list) and isinstance(stored, list) and isinstance(shown, list):
        return [_unmasked_item(item, number, given, stored, shown) for number, item in enumerate(given)]
    return given


def _unmasked_item(item: Any, number: int, given: list[Any], stored: list[Any], shown: list[Any]) -> Any:
    """Return an item of an array with its secrets: those of the item that looks the same, for items may have moved."""
    if not has_mask(item):
        return item
    same = [place for place, other in enumerate(shown) if other == item]
    if len(given) >= len(stored) and number in same:
        return unmasked(item, stored[number], shown[number])
    if same:
        is_clear = all(stored[place] == stored[same[0]] for place in same)
        return unmasked(item, stored[same[0]], shown[same[0]]) if is_clear else item
    if len(given) == len(stored):
        return unmasked(item, stored[number], shown[number])
    return item


def masked_again(given: Any, found: Any, shown: Any) -> Any:
    """Return *found* with the mask put back wherever what it stood for would be seen.

    Whoever may not read a secret must not move it to where it is none: ``["x", MASK]`` for a key and a name.

    Args:
        given: What came back.
        found: The same by :func:`unmasked`.
        shown: *found* as it would be shown.
    """
    if isinstance(given, dict) and isinstance(shown, dict):
        return {key: masked_again(item, found[key], shown[key]) for key, item in given.items()}
    if isinstance(given, list) and isinstance(shown, list):
        return [masked_again(*items) for items in zip(given, found, shown, strict=True)]
    return given if given == MASK != shown else found


def has_mask(value: Any) -> bool:
    """Whether a mask stands in *value* in place of a secret."""
    try:
        return next(masks(value), None) is not None
    except RecursionError:  # it is refused for that
        return False


def masks(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the masks in *value*."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from masks(item, (*path, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from masks(item, (*path, str(number)))
    elif isinstance(value, str) and value == MASK:
        yield path
