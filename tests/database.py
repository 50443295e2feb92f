"""The connection to the database that holds our tables: ``default``, or what the variant's router says."""

from __future__ import annotations

from django.conf import settings
from django.db import connections
from django.utils.connection import ConnectionProxy

ALIAS: str = settings.ALIAS
connection = ConnectionProxy(connections, ALIAS)
