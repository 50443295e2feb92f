"""Permissions of the calls. DRF's model permissions do not fit: they let everybody read, and have no "run"."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from django_scheduled_tasks.exceptions import NotAuthenticated
from django_scheduled_tasks.services.permissions import require
from django_scheduled_tasks.services.visibility import is_visible


class CallPermission(BasePermission):
    """Requires the permission that the view names for the call; for a call about one object, on that object.

    A caller who is not signed in gets 401 for every address, and so does not learn which tasks exist. A user who is
    gets 404 for what does not exist, and 403 for what does.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Refuse a caller who is not signed in; for a call about no single object, require the permission on all."""
        if not getattr(request.user, "is_authenticated", False):  # a project may have no anonymous user
            raise NotAuthenticated
        needed = view.permission_needed()
        if needed is not None and not view.is_about_one:
            require(request.user, needed)
        return True

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Require the permission, on all objects or on this one; there is none that the caller may not see at all."""
        if not is_visible(request.user, obj):
            raise Http404
        needed = view.permission_needed()
        if needed is not None:
            require(request.user, needed, obj)
        return True
