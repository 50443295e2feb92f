"""The connection to the database that holds our tables: ``default``, or what the variant's router says."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connections
from django.utils.connection import ConnectionProxy

ALIAS: str = settings.ALIAS
connection = ConnectionProxy(connections, ALIAS)
counts_statements = pytest.mark.skipif(
    settings.VARIANT == "atomic", reason="the savepoint that Django makes for each request would be counted"
)
"""For tests that count the statements of a whole request."""


KEEPS_JIT_AWAY = int(connection.vendor == "postgresql")
"""Statements that a block of ``without_jit`` takes within the transaction of a test."""
