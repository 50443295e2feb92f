"""Which tasks somebody may see at all: what the project's ``VISIBLE_TASKS`` says, asked by all lists and look-ups.

Who may not see a task sees nothing of it: not its executions, alerts, changes and holds either. Without the setting
nothing is asked, and no statement is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db.models import BooleanField, Model, Q, QuerySet, Value
from django.utils.module_loading import import_string

from django_scheduled_tasks.conf import SETTING, get_settings
from django_scheduled_tasks.models import Alert, Change, Execution, Hold, ScheduledTask, write_alias

Rows = TypeVar("Rows", bound=QuerySet[Any])
Hook = Callable[[Any, "QuerySet[ScheduledTask]"], "QuerySet[ScheduledTask]"]
_viewer: ContextVar[AbstractBaseUser | AnonymousUser | None] = ContextVar("django_scheduled_tasks_viewer", default=None)
_MARK = "dst_is_visible"
"""What rows of a list have on them, so that none of them is asked about once more."""


@lru_cache(maxsize=4)
def _hook(path: str) -> Hook:
    try:
        found: Hook = import_string(path)
    except ImportError as exc:
        raise ImproperlyConfigured(f'{SETTING}["VISIBLE_TASKS"]: {exc}.') from exc
    return found


def has_hook() -> bool:
    """Whether there is anything that somebody may not see at all."""
    return bool(get_settings().VISIBLE_TASKS)


def visible_tasks(user: Any) -> QuerySet[ScheduledTask] | None:
    """Return the tasks that *user* may see; None: all, since the project names no hook.

    Raises:
        ImproperlyConfigured: The setting names nothing that can be imported.
    """
    path = get_settings().VISIBLE_TASKS
    return _hook(path)(user, ScheduledTask.objects.order_by()) if path else None


def visible(user: Any, rows: Rows) -> Rows:
    """Return those of *rows* that *user* may see: tasks, or what is about one; others stay as they are.

    Of what is about a task that is gone nobody can tell whose it was, so it is left out. No statement of its own.
    """
    if rows.model not in _ABOUT or (tasks := visible_tasks(user)) is None:
        return rows
    if rows.model is ScheduledTask:
        found = rows.filter(pk__in=tasks.values("pk"))
    else:
        seen, of_nothing = Q(task__in=tasks.values("pk")), _ABOUT[rows.model]
        found = rows.filter(seen | of_nothing if of_nothing else seen)
    return found.annotate(**{_MARK: Value(True, output_field=BooleanField())})


def is_visible(user: Any, subject: Model | None) -> bool:
    """Whether *user* may see *subject*: a task, or what is about one. At most one statement, if there is a hook."""
    if subject is None or type(subject) not in _ABOUT or subject._state.adding or getattr(subject, _MARK, False):
        return True
    tasks = visible_tasks(user)
    if tasks is None:
        return True
    row: Any = subject
    task = row.pk if isinstance(row, ScheduledTask) else row.task if isinstance(row, Change) else row.task_id
    if task is None:
        return isinstance(row, Hold) or (isinstance(row, Alert) and not row.task_name) or isinstance(row, Change)
    known = row.__dict__.setdefault("_visible_to", {})
    if user.pk not in known:
        known[user.pk] = tasks.using(write_alias()).filter(pk=task).exists()
    return bool(known[user.pk])


@contextmanager
def seen_by(user: Any) -> Iterator[None]:
    """Let :func:`for_viewer` know within who looks; the doors for people and programs say so."""
    token = _viewer.set(user)
    try:
        yield
    finally:
        _viewer.reset(token)


def for_viewer(rows: Rows) -> Rows:
    """Return those of *rows* that whoever looks may see; all of them for schedulers, workers and commands."""
    user = _viewer.get()
    return rows if user is None else visible(user, rows)


_ABOUT: dict[type[Model], Q] = {
    ScheduledTask: Q(),
    Execution: Q(),
    Alert: Q(task_name=""),
    Change: Q(task=None),
    Hold: Q(task=None),
}
"""What can be hidden, each with what of it is about no task and so is for everybody."""
