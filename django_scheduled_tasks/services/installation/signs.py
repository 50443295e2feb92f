"""The signs by which a copy of the database is told: who signed it, at which address it is, which system answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.utils.crypto import constant_time_compare, salted_hmac

from django_scheduled_tasks.db.connections.alias import Connection
from django_scheduled_tasks.models import write_alias
from django_scheduled_tasks.store.reading.system import read_system

SALT = "django_scheduled_tasks.installation"
_DEFAULT_PORTS = {"postgresql": "5432", "mysql": "3306"}


@dataclass(frozen=True, slots=True)
class Signs:
    """Where the database is that answers."""

    address: str
    """Host, port and name as the settings have them; of SQLite, the file."""
    system: str
    """What a copy does not share; empty: not known."""


def sign(uuid: UUID, *, key: str | bytes | None = None) -> str:
    """Return the signature of an installation by *key*; default: ``SECRET_KEY``."""
    return salted_hmac(SALT, str(uuid), secret=key, algorithm="sha256").hexdigest()


def is_signed(uuid: UUID, signature: str) -> bool:
    """Whether ``SECRET_KEY`` or one of ``SECRET_KEY_FALLBACKS`` has signed *uuid*."""
    return any(constant_time_compare(signature, sign(uuid, key=key)) for key in (None, *settings.SECRET_KEY_FALLBACKS))


def read_signs() -> Signs:
    """Return the signs of the database that holds our tables; on PostgreSQL two statements."""
    connection = connections[write_alias()]
    return Signs(address=_address(connection), system=_system(connection))


def _address(connection: Connection) -> str:
    given = connection.settings_dict
    name = str(given["NAME"])
    if connection.vendor == "sqlite":
        return name[-255:]
    host, port = given.get("HOST") or "localhost", given.get("PORT") or _DEFAULT_PORTS.get(connection.vendor, "")
    return f"{host}:{port}/{name}"[-255:]


def _system(connection: Connection) -> str:
    """Return what tells this database from its copies, and not from its replicas; MySQL and MariaDB have no such thing.

    On PostgreSQL see :func:`~django_scheduled_tasks.store.reading.system.read_system`; of SQLite it is the inode.
    """
    if connection.vendor == "postgresql":
        return read_system()
    if connection.vendor != "sqlite":
        return ""
    try:
        return str(Path(str(connection.settings_dict["NAME"])).stat().st_ino)
    except OSError:  # it is in memory
        return ""


def same_system(before: str, now: str) -> bool | None:
    """Whether two systems are the same one; None if one is not known.

    Of a role that may not read PostgreSQL's identifier only the OID is known, so that only this is compared.
    """
    if not before or not now:
        return None
    if before.count("/") != now.count("/"):
        return before.rpartition("/")[2] == now.rpartition("/")[2]
    return before == now
