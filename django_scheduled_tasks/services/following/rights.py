"""What those who follow may see at this moment."""

from __future__ import annotations

from typing import Any

from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.permissions import VIEW_EXECUTION, VIEW_LOGS, may


class Rights:
    """What users may see now, by what the database says now; each user is read once in a look."""

    def __init__(self) -> None:
        self._users: dict[Any, Any] = {}

    def of(self, user: Any, execution: Execution | None = None) -> tuple[bool, bool]:
        """Return whether *user* may see *execution*, and its log.

        Args:
            user: Who; None: a command, which may see everything.
            execution: Which; None: all.
        """
        if user is None:
            return True, True
        fresh = self._fresh(user)
        if execution is not None:
            execution.__dict__.pop("_visible_to", None)
        return may(fresh, VIEW_EXECUTION, execution), may(fresh, VIEW_LOGS, execution)

    def _fresh(self, user: Any) -> Any:
        """Return *user* as the database has it: Django remembers permissions with the object."""
        if not hasattr(user, "_meta") or user.pk is None:
            return user
        if user.pk not in self._users:
            self._users[user.pk] = type(user)._default_manager.filter(pk=user.pk).first()
        return self._users[user.pk]
