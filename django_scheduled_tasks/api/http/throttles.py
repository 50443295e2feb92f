"""Throttles; a project switches them on with rates in ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]``."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle


class _Throttle(SimpleRateThrottle):
    """Counts the calls of each user; without a rate for its scope it lets every call pass."""

    def get_rate(self) -> Any:
        """Return the rate of the scope, if the project sets one."""
        return api_settings.DEFAULT_THROTTLE_RATES.get(str(self.scope))

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """Count by user, or by address for a caller who is not signed in."""
        del view
        is_known = getattr(request.user, "is_authenticated", False)
        who = request.user.pk if is_known else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": who}


class StatusThrottle(_Throttle):
    """Reads of a status; they do not count towards the project's other rates, since a client that waits asks often."""

    scope = "scheduled-tasks-status"


class TriggerThrottle(_Throttle):
    """Calls that start something."""

    scope = "scheduled-tasks-trigger"
