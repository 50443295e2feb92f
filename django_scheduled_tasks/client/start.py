"""Starting a function as a call, so that a type checker sees its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from django.core.exceptions import ImproperlyConfigured

from django_scheduled_tasks.client.answers import Answer
from django_scheduled_tasks.client.definitions import KnownTask, get_task, upsert_task
from django_scheduled_tasks.client.handle import TaskHandle
from django_scheduled_tasks.exceptions import TaskNotFound
from django_scheduled_tasks.lifecycle import Overlap
from django_scheduled_tasks.registry import registry

Params = ParamSpec("Params")
_KEY = "start:{}"


def start(function: Callable[Params, object], /, *args: Params.args, **params: Params.kwargs) -> Answer:
    """Start *function*, which has ``@scheduled_task`` on it, once and now, without waiting for it.

    It runs as the task that the code declares of it, with that one's limits. If the code declares none, a task of its
    own is made when it is started first, under which executions run side by side: ``start(bill, month="2026-03")``.

    Args:
        function: Which.
        args: Its arguments, as in a call.
        params: The same by name.
    Returns:
        As :meth:`~django_scheduled_tasks.client.TaskHandle.run_once`.
    Raises:
        FunctionNotRegistered: There is no ``@scheduled_task`` on it.
        ImproperlyConfigured: The code declares several tasks of it: start one of them by its name.
        TypeError: It does not take these arguments.
    """
    registered = registry.of(function)
    declared = [item.name for item in registry.declarations() if item.function is registered]
    if len(declared) > 1:
        names = ", ".join(f'"{name}"' for name in declared)
        raise ImproperlyConfigured(
            f"start({registered.name}): the code declares several tasks of it, {names}. Use task(name).run_once()."
        )
    given: dict[str, Any] = _by_name(function, args, params)
    if declared:
        return TaskHandle(declared[0]).run_once(given)
    key = _KEY.format(registered.name)
    try:
        found = get_task(key=key)
    except TaskNotFound:
        found = KnownTask(upsert_task(function, key=key, overlap=Overlap.ALLOW).row)
    return found.run_once(given)


def _by_name(function: Callable[..., object], args: tuple[Any, ...], params: dict[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(function).bind(*args, **params)
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        is_rest = bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        given |= value if is_rest else {name: value}
    return given
