"""Fixtures and helpers for tests of the API."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factories import EDITOR, OPERATOR, OWNER, VIEWER, make_user

ROOT = "/api/scheduled-tasks"


def client_of(*permissions: str, user: Any = None) -> APIClient:
    """Return a client of a new user with *permissions*, or of a stranger."""
    client = APIClient()
    if permissions or user is not None:
        client.force_authenticate(user or make_user(*permissions))
    return client


def codes(response: Any) -> list[tuple[str, str]]:
    """Check the one error shape, and return (code, field) of each item."""
    body = response.json()
    assert list(body) == ["info", "errors"], body
    assert body["info"] is None
    assert list(body["errors"]) == ["status", "statusText", "items"]
    assert body["errors"]["status"] == response.status_code
    for item in body["errors"]["items"]:
        assert list(item) == ["origin", "code", "message", "details"]
        assert item["message"]
    return [(item["code"], item["details"].get("field", "")) for item in body["errors"]["items"]]


@pytest.fixture
def viewer() -> APIClient:
    return client_of(*VIEWER)


@pytest.fixture
def operator() -> APIClient:
    return client_of(*OPERATOR)


@pytest.fixture
def editor() -> APIClient:
    return client_of(*EDITOR)


@pytest.fixture
def owner() -> APIClient:
    return client_of(*OWNER)
