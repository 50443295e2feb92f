"""Which models own tasks, and what becomes of these when their owner is deleted: ``@owns_tasks``.

It may stand in a ``models.py``, so nothing of ours that needs models is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar, overload

from django.db import models

Owner = TypeVar("Owner", bound=type[models.Model])


class OnOwnerDelete(StrEnum):
    """What becomes of a task whose owner is deleted."""

    DELETE = "delete"
    """It is deleted; its executions stay."""
    SWITCH_OFF = "switch_off"
    """It is switched off and stays."""


_known: dict[str, tuple[type[models.Model], OnOwnerDelete]] = {}
_listeners: list[Callable[[type[models.Model]], None]] = []


@overload
def owns_tasks(model: Owner, /, *, on_delete: OnOwnerDelete | str = ...) -> Owner: ...


@overload
def owns_tasks(*, on_delete: OnOwnerDelete | str = ...) -> Callable[[Owner], Owner]: ...


def owns_tasks(model: Any = None, /, *, on_delete: OnOwnerDelete | str = OnOwnerDelete.DELETE) -> Any:
    """Let tasks go with their owner: with an object of this model its tasks are deleted, in the same transaction.

    As a decorator of a model, ``@owns_tasks`` or ``@owns_tasks(on_delete="switch_off")``, or as a call for a model of
    another app, ``owns_tasks(Customer)``. Objects that are deleted without Django's signals, by SQL or by
    ``_raw_delete``, are noticed by the scheduler within a day. Of other models nothing is noticed, so that they keep
    Django's fast deletes.

    Args:
        model: Which.
        on_delete: ``delete`` or ``switch_off``.
    Raises:
        ValueError: *on_delete* is another word.
    """
    policy = OnOwnerDelete(on_delete)

    def decorate(cls: Owner) -> Owner:
        concrete: type[models.Model] = cls._meta.concrete_model or cls
        _known[concrete._meta.label_lower] = concrete, policy
        for listen in _listeners:
            listen(concrete)
        return cls

    return decorate if model is None else decorate(model)


def owners() -> Mapping[str, tuple[type[models.Model], OnOwnerDelete]]:
    """Return the models that own tasks, by label, each with what becomes of the tasks."""
    return MappingProxyType(_known)


def each_owner(listen: Callable[[type[models.Model]], None]) -> None:
    """Call *listen* with each model that owns tasks, those that are added later as well."""
    _listeners.append(listen)
    for model, _policy in list(_known.values()):
        listen(model)


def forget_owner(model: type[models.Model]) -> None:
    """Let *model* own no tasks any more, for tests."""
    _known.pop((model._meta.concrete_model or model)._meta.label_lower, None)
