"""django-tenants: each tenant has a schema, and connections have the tenant that was set last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections


def remember_tenants() -> Callable[[], None]:
    """Return what gives the connections of this thread the tenants again that they have now.

    A function that has set another one must not take its own record there, nor leave it to the next execution.
    """
    initialized: Sequence[Any] = connections.all(initialized_only=True)
    had = [(connection, connection.tenant) for connection in initialized if hasattr(connection, "set_tenant")]

    def put_back() -> None:
        for connection, tenant in had:
            if connection.tenant is not tenant:
                connection.set_tenant(tenant)

    return put_back
