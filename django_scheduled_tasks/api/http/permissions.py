"""Who may make which call. DRF's model permissions do not fit: they let everybody read, and know no "run"."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from django_scheduled_tasks.exceptions import NotAuthenticated
from django_scheduled_tasks.services.permissions import require


class CallPermission(BasePermission):
    """Asks for the permission that the view names for the call, on the object where the call is about one.

    A stranger gets 401 whatever the address, and so learns nothing about which tasks there are. Who is logged in gets
    404 for what is not there and 403 for what is.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Refuse strangers; for a call that is about no single object, ask for the permission on all of them."""
        if not getattr(request.user, "is_authenticated", False):  # a project may have no anonymous user
            raise NotAuthenticated
        needed = view.permission_needed()
        if needed is not None and not view.is_about_one:
            require(request.user, needed)
        return True

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Ask for the permission on all objects or on this one."""
        needed = view.permission_needed()
        if needed is not None:
            require(request.user, needed, obj)
        return True
