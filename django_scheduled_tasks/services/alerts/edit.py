"""What people do with alerts: acknowledge them, and let them be silent."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import AlertClosed, AlertNotFound, FieldError, InvalidInput
from django_scheduled_tasks.models import Alert, for_update, read_now, write_alias, write_transaction
from django_scheduled_tasks.models.limits import check_instant
from django_scheduled_tasks.users import User


def acknowledge(alert: Alert, *, user: User | None = None) -> Alert:
    """Say that somebody knows of *alert*: nobody is reminded of it any more. Who said so first stays.

    Raises:
        AlertNotFound, AlertClosed: As their names say.
    """
    with write_transaction():
        row = _locked(alert)
        if row.acknowledged_at is None:
            row.acknowledged_at, row.acknowledged_by = read_now(), user
            row.save(using=write_alias(), update_fields=["acknowledged_at", "acknowledged_by"])
    return row


def take_back(alert: Alert, *, user: User) -> Alert:
    """Take back that *user* knows of *alert*; what somebody else has said stays.

    Raises:
        AlertNotFound, AlertClosed: As their names say.
    """
    with write_transaction():
        row = _locked(alert)
        if row.acknowledged_by_id == user.pk:
            row.acknowledged_at = row.acknowledged_by = None
            row.save(using=write_alias(), update_fields=["acknowledged_at", "acknowledged_by"])
    return row


def silence(alert: Alert, *, until: datetime | None) -> Alert:
    """Let nobody be told anything more of *alert* until then, not even that it is over; None: end the silence.

    Args:
        alert: Which; the next one of its kind is told again.
        until: Aware, and later than now.
    Raises:
        AlertNotFound, AlertClosed: As their names say.
        InvalidInput: *until* is no such instant.
    """
    with write_transaction():
        row = _locked(alert)
        if until is not None:
            _check(until, read_now())
        row.silenced_until = until
        row.save(using=write_alias(), update_fields=["silenced_until"])
    return row


def get_alert(number: int) -> Alert:
    """Return the alert with this number.

    Raises:
        AlertNotFound: There is none.
    """
    row = Alert.objects.using(write_alias()).select_related("task").filter(pk=number).first()
    if row is None:
        raise AlertNotFound(number)
    return row


def _locked(alert: Alert) -> Alert:
    row = for_update(Alert.objects.using(write_alias()).filter(pk=alert.pk)).first()
    if row is None:
        raise AlertNotFound(alert.pk)
    if not row.is_open:
        raise AlertClosed(row.pk)
    return row


def _check(until: datetime, now: datetime) -> None:
    try:
        check_instant(until)
    except ValidationError as exc:
        raise InvalidInput([FieldError("until", exc.messages[0], exc.code or "invalid")]) from None
    if until <= now:
        raise InvalidInput([FieldError("until", _("it is not in the future."), "past")])
