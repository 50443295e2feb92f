"""The secrets among the parameters of a task or an execution: recorded with the row, hidden, put back, left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.exceptions import FunctionNotRegistered
from django_scheduled_tasks.models import Execution, ScheduledTask
from django_scheduled_tasks.parameters import (
    Parameters,
    SecretTexts,
    Tree,
    has_mask,
    hide,
    hide_all,
    masked_again,
    merged,
    secrets_by_name,
    texts_at,
    texts_of,
    unmasked,
)
from django_scheduled_tasks.registry import registry

Row = ScheduledTask | Execution


def tree_of(function: str, params: Mapping[str, Any], known: Tree | None = None) -> Tree | None:
    """Return where the secrets of *params* are, to be recorded with them; None if nobody can tell.

    Args:
        function: Whose parameters they are.
        params: JSON.
        known: Where they were when the values were stored before: what was secret stays secret.
    """
    parameters = _parameters(function)
    if parameters is None:
        return known
    return merged(parameters.secret_tree(params), known) if known else parameters.secret_tree(params)


def shown_params(row: Row) -> dict[str, Any]:
    """Return the parameters of *row* with their secrets masked.

    Secret is what is so by the function's present signature or by its name, and what was so when the row was written.
    If neither the code nor the row knows, each value is hidden.
    """
    return shown(row.function, row.params, row.secret_params)


def shown(function: str, params: Mapping[str, Any], known: Tree | None) -> dict[str, Any]:
    """Return the same for *params* of *function*, of which *known* says where the secrets were."""
    parameters = _parameters(function)
    if parameters is not None:
        return parameters.mask(params, known)
    if known is None:
        return hide_all(params)
    found: dict[str, Any] = hide(dict(params), merged(known, secrets_by_name(params)))
    return found


def with_secrets_of(row: Row, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return *given* with the masks in it replaced by the secrets of *row* that they stand for."""
    return with_secrets(row.function, given, row.params, row.secret_params)


def with_secrets(
    function: str, given: Mapping[str, Any], stored: Mapping[str, Any], known: Tree | None
) -> dict[str, Any]:
    """Return the same where *stored* are parameters of *function*, of which *known* says where the secrets are.

    A mask stays, and is refused later, where the secret would not be one any more.
    """
    plain = dict(given.items())  # what a form sends is a dictionary of lists at heart
    if not has_mask(plain):
        return plain
    put_back: dict[str, Any] = unmasked(plain, dict(stored), shown(function, stored, known))
    found: dict[str, Any] = masked_again(plain, put_back, shown(function, put_back, known))
    return found


def without_secrets(row: Row) -> dict[str, Any]:
    """Return the parameters of *row* but those that are secret, or have a secret in them."""
    masked = shown_params(row)
    return {name: value for name, value in row.params.items() if masked[name] == value}


def secret_texts(row: Row) -> SecretTexts:
    """Return what may not stand in a text that *row*'s function wrote."""
    parameters = _parameters(row.function)
    if parameters is not None:
        return parameters.secrets(row.params, row.secret_params)
    found = texts_at(row.params, merged(row.secret_params or {}, secrets_by_name(row.params)))
    return found._replace(declared=found.declared | texts_of(row.params))


def _parameters(function: str) -> Parameters | None:
    """Return the parameters of *function* if this process knows it and can read its signature."""
    try:
        parameters = registry.get(function).parameters
        _ = parameters.full_schema
    except (FunctionNotRegistered, ImproperlyConfigured):
        return None
    return parameters
