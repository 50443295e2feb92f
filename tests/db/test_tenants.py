"""Backends that do more than Django's when they make a cursor, and functions that leave another tenant behind."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from django_scheduled_tasks.db.connections.cursor import binding_cursor
from django_scheduled_tasks.db.connections.tenants import remember_tenants
from django_scheduled_tasks.lifecycle import Outcome
from django_scheduled_tasks.services.starting.run_once import run_once
from tests.database import ALIAS, connection, connections
from tests.factories import make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def tenants(monkeypatch) -> list[str]:
    """Let the connection have tenants, as that of django-tenants."""
    seen: list[str] = []
    wrapper: Any = connections[ALIAS]

    def set_tenant(tenant: str) -> None:
        seen.append(tenant)
        wrapper.tenant = tenant

    monkeypatch.setattr(wrapper, "tenant", "public", raising=False)
    monkeypatch.setattr(wrapper, "set_tenant", set_tenant, raising=False)
    return seen


def test_the_tenant_of_a_function_is_not_that_of_its_record(tenants):
    put_back = remember_tenants()
    put_back()
    assert tenants == []
    execution = run_once(make_task(function="testapp.change_tenant")).execution
    execution.refresh_from_db()
    assert execution.outcome == Outcome.SUCCEEDED
    assert tenants == ["other", "public"]


def test_a_backend_of_the_projects_own_makes_the_cursor(monkeypatch):
    made = []

    class Wrapper(type(connections[ALIAS])):
        def _cursor(self, name: str | None = None) -> Any:
            made.append(name)
            return BaseDatabaseWrapper._cursor(self, name)

    monkeypatch.setattr(connections[ALIAS], "__class__", Wrapper)
    with binding_cursor(connections[ALIAS]) as cursor:
        cursor.execute("SELECT 1")
    assert made
    assert connection.is_usable()
