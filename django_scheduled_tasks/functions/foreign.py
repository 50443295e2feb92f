"""Tasks of other libraries as the functions that they are made of. None of the libraries is imported here."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def plain_function(given: Any) -> Any:
    """Return the function that is to run for *given*; anything that is no task of another library as it is.

    It runs in our worker, as if it were called: neither Celery's broker nor a backend of Django's Tasks is asked.

    Args:
        given: A function; a task of Celery, made by ``@shared_task`` or ``@app.task``, bound ones too; or one of
            Django's Tasks framework (``django.tasks``, or the package ``django-tasks``), made by ``@task``.
    Raises:
        TypeError: It wants a context that only its own library can give.
    """
    if inspect.isfunction(given):
        return given
    if _is_celerys(given):
        return _named_as(given, given.run)
    if _is_djangos(given):
        if given.takes_context:
            raise TypeError(
                f"{given.module_path} takes a context of Django's Tasks:"
                " register a function that does its work without one."
            )
        return given.func
    return given


def functions_at(paths: Iterable[str]) -> Iterator[Any]:
    """Yield what the setting ``FUNCTIONS`` names, in order: functions and tasks, not changed.

    Raises:
        ImproperlyConfigured: There is nothing at a path, or nothing that could run.
    """
    for path in paths:
        module_name, _dot, name = path.rpartition(".")
        try:
            module = import_module(module_name)
            found = [one for one in vars(module).values() if is_task(one)] if name == "*" else [getattr(module, name)]
        except (AttributeError, ImportError, ValueError) as exc:
            raise ImproperlyConfigured(f'SCHEDULED_TASKS["FUNCTIONS"]: nothing is at {path}: {exc}') from exc
        if not found or not all(inspect.isfunction(one) or is_task(one) for one in found):
            what = "no task of Celery or of Django's Tasks is in it" if name == "*" else "it is no function and no task"
            raise ImproperlyConfigured(f'SCHEDULED_TASKS["FUNCTIONS"]: {path}: {what}.')
        yield from found


def is_task(given: Any) -> bool:
    """Whether it is a task of Celery or of Django's Tasks framework."""
    return _is_celerys(given) or _is_djangos(given)


def _is_celerys(given: Any) -> bool:
    return _is_a(given, "celery.app.task", "Task")  # also the proxy that @shared_task makes


def _is_djangos(given: Any) -> bool:
    return _is_a(given, "django.tasks.base", "Task") or _is_a(given, "django_tasks.base", "Task")


def _is_a(given: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(given, kind)


def _named_as(task: Any, run: Callable[..., Any]) -> Any:
    """Return Celery's *run* as a function of its own module; a bound one has its task already."""
    if inspect.isfunction(run):
        return run

    @functools.wraps(run)
    def call(**params: Any) -> Any:
        return run(**params)

    call.__dict__["__signature__"] = inspect.signature(run)
    call.__module__ = str(task.__module__)
    return call
