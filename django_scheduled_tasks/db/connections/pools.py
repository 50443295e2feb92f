"""Connection pools of psycopg (``OPTIONS: {"pool": …}``): none is shared with another process, none is waited for."""

from __future__ import annotations

import copy
import os
import sys
from typing import Any

from django.db import connections

from django_scheduled_tasks.db.connections.alias import Connection

_inherited: list[Any] = []
"""Pools of the parent process. Kept, since a pool that is thrown away tells its threads to end, which are not here."""


def forget_pools_when_forked() -> None:
    """Let each process that is forked from this one make pools of its own."""
    os.register_at_fork(after_in_child=_forget_pools)


def _forget_pools() -> None:
    # The sockets are the parent's too: two processes would read each other's answers. Django closes a connection by
    # giving it back, so that it is still there after close_all().
    module = sys.modules.get("django.db.backends.postgresql.base")
    pools = getattr(getattr(module, "DatabaseWrapper", None), "_connection_pools", None)
    if pools:
        _inherited.append(dict(pools))
        pools.clear()


def own_connection(alias: str) -> Connection:
    """Return a new connection that is not one of the pool, for a thread that keeps it or must not wait for others."""
    connection: Any = connections.create_connection(alias)
    connection.settings_dict = copy.deepcopy(connection.settings_dict)
    connection.settings_dict.setdefault("OPTIONS", {}).pop("pool", None)
    own: Connection = connection
    return own


def leave_pool(alias: str) -> None:
    """Let the present thread have a connection of its own where the project has a pool."""
    if connections[alias].settings_dict.get("OPTIONS", {}).get("pool"):
        connections[alias] = own_connection(alias)
