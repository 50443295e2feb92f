"""What this process knows of whether its database is at home: read at the start, and about once a minute.

In a copy, ``held`` below, nothing runs by schedule. What a person starts there by hand runs all the same. Such
executions are younger than all that was copied, and their messages go by a key of their own, so that a copy on the
Redis of production takes none of production's messages, and production none of the copy's.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, IntegrityError, connections
from django.db.models import Max

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.db.connections.errors import lacks_tables
from django_scheduled_tasks.lifecycle import Status, Trigger
from django_scheduled_tasks.models import Execution, Installation, database_now, write_alias, write_transaction
from django_scheduled_tasks.services.installation.signs import Signs, is_signed, read_signs, same_system, sign
from django_scheduled_tasks.services.installation.verdict import Cause, Verdict, judge

logger = logging.getLogger(__name__)

CHECK_EVERY, CHECK_HELD_EVERY = 60.0, 5.0
"""Seconds between two looks, at home and in a copy."""
SIGN_ANEW_AFTER = 3600.0
"""Seconds after which a scheduler that knows the signature by a fallback of the secret key signs with the key itself.
Until then all processes that do not have the new key yet, in a rolling deploy, have been replaced."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the database stands to this process."""

    cause: Cause | None = None
    """Why nothing runs by schedule; None: it is at home."""
    installation: Installation | None = None
    here: Signs | None = None

    @property
    def is_held(self) -> bool:
        """Whether nothing runs by schedule."""
        return self.cause is not None

    @property
    def has_moved(self) -> bool:
        """Whether it was taken as the same one at another place, and nobody has said yet what it is."""
        return self.installation is not None and self.installation.moved_at is not None and not self.is_held

    @property
    def copy_key(self) -> str:
        """What to add to the names of queues; empty at home."""
        return self.installation.copy_key if self.is_held and self.installation else ""

    def may_start(self, execution: Execution) -> bool:
        """Whether *execution* may start here: at home each, in a copy those that were started by hand in it."""
        if self.installation is None or not self.is_held:
            return True
        number: int | None = execution.pk  # not known of several that were written at once
        is_own = number is None or number > (self.installation.copy_after or 0)
        return is_own and execution.trigger != Trigger.SCHEDULE

    def was_running(self, execution: Execution) -> bool:
        """Whether *execution* was running when the copy was made: what is in this row says nothing of here."""
        if self.installation is None or not self.is_held or execution.status != Status.PROCESSING:
            return False
        return execution.pk <= (self.installation.copy_after or 0)


@dataclass
class _Known:
    """What this process knows."""

    standing: Standing | None = None
    read_at: float = float("-inf")
    began_at: float | None = None
    connection: Any = None
    signs: Signs | None = None
    """What :attr:`connection` leads to."""
    addresses: set[str] = field(default_factory=set)
    """Those from which it has said that the database has moved: another scheduler may spell the same one otherwise."""


_known = _Known()


def standing() -> Standing:
    """Return how the database stands to this process, as it was at the last look; look if that is too long ago.

    Raises:
        DatabaseError: The database does not answer, and this process has never looked.
    """
    known = _known.standing
    if known is not None and time.monotonic() - _known.read_at < (CHECK_HELD_EVERY if known.is_held else CHECK_EVERY):
        return known
    try:
        return look()
    except DatabaseError:
        if known is None:
            raise
        return known


def look(*, tidy: bool = False) -> Standing:
    """Ask the database now. At home that is one statement; in a copy the first look marks it.

    The signs of PostgreSQL, two statements more, are read once for each connection; a scheduler reads them each time,
    since a pooler may lead the same connection elsewhere.

    Args:
        tidy: Whether to write down what has changed at home: a new address, a signature by a new key. For schedulers.
    """
    found = _read(tidy=tidy)
    _remember(found)
    return found


def is_held() -> bool:
    """Whether nothing runs by schedule in this database; as :func:`standing`."""
    return standing().is_held


def is_known_as_held() -> bool:
    """Whether nothing runs by schedule, as far as this process knows; it asks nobody."""
    return _known.standing is not None and _known.standing.is_held


def copy_key() -> str:
    """Return what engines add to the names of their queues: empty at home; as :func:`standing`."""
    return standing().copy_key


def forget() -> None:
    """Let the next question look again, as a new process would; for tests."""
    vars(_known).update(vars(_Known()))


def suppose(supposed: Standing) -> None:
    """Let this process take *supposed* for known; for tests."""
    _remember(supposed)


def settle_in() -> None:
    """Write the row of the installation, if there is none: this is where the database is at home."""
    rows = Installation.objects.using(write_alias())
    if rows.exists():
        return
    here = read_signs()
    row = Installation(
        environment=get_settings().ENVIRONMENT,
        address=here.address,
        system_identifier=here.system,
        adopted_at=database_now(),
    )
    row.signature = sign(row.uuid)
    try:
        with write_transaction():
            row.save(using=write_alias(), force_insert=True)
    except IntegrityError:
        pass  # another process was first


def _remember(found: Standing) -> None:
    moment = time.monotonic()
    _known.began_at = moment if _known.began_at is None else _known.began_at
    _known.standing, _known.read_at = found, moment


def _read(*, tidy: bool) -> Standing:
    try:
        row = Installation.objects.using(write_alias()).first()
    except DatabaseError as exc:
        if lacks_tables(exc):
            return Standing()  # whoever needs them says so
        raise
    if row is None:
        return Standing()
    here = _read_signs(anew=tidy)
    verdict = judge(
        setting=get_settings().ENVIRONMENT,
        environment=row.environment,
        is_signed=is_signed(row.uuid, row.signature),
        same_address=row.address == here.address,
        same_system=same_system(row.system_identifier, here.system),
    )
    cause = verdict.cause or _cause_in(row)
    if cause is not None:
        _mark(row, here)
    elif tidy:
        _write_down(row, here, verdict)
    return Standing(cause, row, here)


def _read_signs(*, anew: bool) -> Signs:
    connection = connections[write_alias()].connection
    if anew or _known.signs is None or _known.connection is not connection:
        _known.signs, _known.connection = read_signs(), connection
    return _known.signs


def _cause_in(row: Installation) -> Cause | None:
    """Return the cause that the row itself tells, whatever the signs."""
    if row.said_copy_at is not None:
        return Cause.SAID
    return Cause.GAP if row.held_at is not None else None


def _mark(row: Installation, here: Signs) -> None:
    """Mark the copy, once, with its key and the newest execution that was copied.

    The key names who has noticed. So a mark that was copied counts for nothing, and a process that is not at home in a
    database, such as one on a developer's machine, changes nothing in it that those at home look at.
    """
    told_by = [str(row.uuid), get_settings().ENVIRONMENT, here.system or here.address]
    key = hashlib.sha256("\n".join(told_by).encode()).hexdigest()[:12]
    if row.copy_key == key:
        return
    newest = Execution.objects.using(write_alias()).aggregate(newest=Max("pk"))["newest"] or 0
    rows = Installation.objects.using(write_alias()).filter(uuid=row.uuid, copy_key=row.copy_key)
    if rows.update(copy_key=key, copy_after=newest):
        row.copy_key, row.copy_after = key, newest
    else:  # another process was first
        row.refresh_from_db(fields=["copy_key", "copy_after"])


def _write_down(row: Installation, here: Signs, verdict: Verdict) -> None:
    """Write down where the database is now, and sign it with the present key."""
    changes: dict[str, Any] = {}
    before, now = say_place(row.address, row.system_identifier), say_place(here.address, here.system)
    if verdict.has_moved and before not in _known.addresses:
        _known.addresses.add(before)
        changes = {"moved_from": before[:255], "moved_at": database_now()}
        changes |= {"address": here.address, "system_identifier": here.system or row.system_identifier}
        logger.warning(
            "The database has moved from %s to %s; it is taken as the same installation. If it is a copy, stop this"
            ' scheduler, and set SCHEDULED_TASKS["ENVIRONMENT"].',
            before,
            now,
            extra={"event": "moved"},
        )
    if verdict.is_first_name:
        changes["environment"] = get_settings().ENVIRONMENT
        logger.warning(
            "The database is called %s from now on", get_settings().ENVIRONMENT, extra={"event": "environment_named"}
        )
    if here.system and not row.system_identifier:
        changes["system_identifier"] = here.system
    is_settled = _known.began_at is not None and time.monotonic() - _known.began_at > SIGN_ANEW_AFTER
    if is_settled and row.signature != sign(row.uuid):
        changes["signature"] = sign(row.uuid)
    if changes:
        rows = Installation.objects.using(write_alias()).filter(uuid=row.uuid, address=row.address)
        rows.filter(environment=row.environment).update(**changes)


def say_place(address: str, system: str) -> str:
    """Return where a database is: its address, and the system that answers there if that is known."""
    return f"{address} ({system})" if system else address
