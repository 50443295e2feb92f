"""A task as the beginning of another one."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.models.task import NAME_MAX_LENGTH
from django_scheduled_tasks.services.secrets import without_secrets
from django_scheduled_tasks.services.tasks.fields import PUBLIC_FIELDS


def clone_of(task: ScheduledTask) -> dict[str, Any]:
    """Return what the form of a new task begins with: all of *task* but its secrets, under another name."""
    values = {name: getattr(task, name) for name in PUBLIC_FIELDS}
    copied = _("%(name)s copy") % {"name": ""}
    name = f"{task.name[: NAME_MAX_LENGTH - len(copied)]}{copied}"
    return values | {"name": name, "params": without_secrets(task)}


def has_secrets(task: ScheduledTask) -> bool:
    """Whether a clone lacks some of the parameters."""
    return len(without_secrets(task)) < len(task.params)
