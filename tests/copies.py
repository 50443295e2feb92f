"""Copies of the test's database, made in the ways in which people make them."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import connections

from django_scheduled_tasks.db.connections.alias import Connection
from tests.database import ALIAS, connection
from tests.servers import PostgreSQL

TIMEOUT = 120


def connect(name: str, port: str = "") -> Connection:
    """Return a connection of its own to the database *name* on the same server, or on the one at *port*."""
    made: Any = connections.create_connection(ALIAS)
    made.settings_dict = copy.deepcopy(made.settings_dict) | {"NAME": name} | ({"PORT": port} if port else {})
    found: Connection = made
    return found


def rows(name: str, sql: str, *, port: str = "") -> list[tuple[Any, ...]]:
    """Return what *sql* finds in the database *name*, on the same server or on the one at *port*."""
    with closing(connect(name, port)) as made, made.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@contextmanager
def database_copy(how: str) -> Iterator[str]:
    """Make a copy of the test's database, and yield its name; *how*: ``template``, ``dump`` or ``file``."""
    original = str(connection.settings_dict["NAME"])
    name = f"{original}_copy"
    connections.close_all()  # nobody may be connected to a template
    drop(name)
    replace(name, original, how)
    try:
        yield name
    finally:
        drop(name)


@contextmanager
def base_backup() -> Iterator[str]:
    """Copy the whole server, file by file, start the copy, and yield its port."""
    given = connection.settings_dict
    reach = {"PGHOST": given["HOST"], "PGPORT": str(given["PORT"]), "PGUSER": given["USER"]}
    server = PostgreSQL(copied=reach)
    try:
        yield str(server.port)
    finally:
        server.stop()


def replace(name: str, original: str, how: str) -> None:
    """Make the database *name* as a copy of *original*; it must not be there."""
    if how == "file":
        with closing(connect(original)) as made, made.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [name])
        return
    if how == "template":
        _on_server(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
        return
    _on_server(f"CREATE DATABASE {connection.ops.quote_name(name)}")
    given, pipe = connection.settings_dict, subprocess.PIPE
    if connection.vendor == "postgresql":
        where = ["-h", given["HOST"], "-p", str(given["PORT"]), "-U", given["USER"]]
        commands = ["pg_dump", *where, original], ["psql", "-q", "-v", "ON_ERROR_STOP=1", *where, name]
        environment = {"PGPASSWORD": given["PASSWORD"]}
    else:
        where = ["-h", given["HOST"], "-P", str(given["PORT"]), "-u", given["USER"]]
        commands = ["mysqldump", *where, original], ["mysql", *where, name]
        environment = {"MYSQL_PWD": given["PASSWORD"]}
    surroundings = os.environ | environment
    dump = subprocess.run(commands[0], env=surroundings, stdout=pipe, check=True, timeout=TIMEOUT).stdout
    subprocess.run(commands[1], env=surroundings, input=dump, stdout=pipe, check=True, timeout=TIMEOUT)


def drop(name: str) -> None:
    """Delete the database *name*, whoever is connected to it."""
    if connection.vendor == "sqlite":
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{name}{suffix}").unlink()
    elif connection.vendor == "postgresql":
        _on_server(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    else:
        _on_server(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(name)}")


def _on_server(sql: str) -> None:
    maintenance = "postgres" if connection.vendor == "postgresql" else None
    with closing(connect(maintenance or str(connection.settings_dict["NAME"]))) as made, made.cursor() as cursor:
        cursor.execute(sql)
