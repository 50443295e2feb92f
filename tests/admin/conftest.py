"""Fixtures for the tests of the admin."""

from __future__ import annotations

import pytest

from tests.factories import make_user


@pytest.fixture
def page_of(client):
    def get(path: str, *permissions: str) -> str:
        client.force_login(make_user(*permissions))
        response = client.get(path)
        assert response.status_code == 200, response.status_code
        return response.content.decode()

    return get
