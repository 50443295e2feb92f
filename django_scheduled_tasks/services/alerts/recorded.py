"""Alert rules and channels in the record of changes: who created, changed and deleted them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django_scheduled_tasks.models import AlertRule, Channel, Deed, write_alias, write_transaction
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services.tasks.changes.record import LONGEST, record_deed
from django_scheduled_tasks.users import User

Row = AlertRule | Channel
_OF_PEOPLE = {
    AlertRule: {field.name for field in AlertRule._meta.concrete_fields} - {"id", "declared"},
    Channel: {"name", "kind", "address", "secret_name", "report", "enabled"},
}


def as_texts(row: Row) -> dict[str, str | None]:
    """Return what people set of *row*, as texts; of an address that may be a secret only the host. Two statements."""
    found = {name: _text(getattr(row, name)) for name in sorted(_OF_PEOPLE[type(row)])}
    if isinstance(row, Channel):
        return found | {"address": shown_address(row)}
    names = row.channels.using(write_alias()).order_by("name").values_list("name", flat=True)
    return found | {"channels": ", ".join(names)}


def record_edit(row: Row, *, before: dict[str, str | None] | None, user: User | None) -> None:
    """Record what makes *row* differ from *before*, see :func:`as_texts`; None: it is new."""
    if before is None:
        record_deed(Deed.CREATED, about=_about(row), user=user)
        return
    after = as_texts(row)
    fields: list[dict[str, Any]] = [
        {"field": name, "old": before.get(name), "new": text}
        for name, text in after.items()
        if before.get(name) != text
    ]
    if fields:
        record_deed(Deed.CHANGED, about=_about(row), fields=fields, user=user)


def delete_row(row: Row, *, user: User | None) -> None:
    """Delete *row*, and record it."""
    with write_transaction():
        record_deed(Deed.DELETED, about=_about(row), user=user)
        row.delete(using=write_alias())


def shown_address(channel: Channel) -> str:
    """Return the address of *channel* as others may see it: of a URL, which may be a secret itself, only the host."""
    try:
        url = urlsplit(channel.address)
    except ValueError:
        return MASK
    if not url.scheme or not url.netloc:
        return channel.address
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}/{MASK}"


def _about(row: Row) -> str:
    return f"{'rule' if isinstance(row, AlertRule) else 'channel'}:{row.name}"


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return (", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))[:LONGEST]
