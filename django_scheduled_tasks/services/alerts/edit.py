"""What people do with alerts: acknowledge them, let them be silent, and close them."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_scheduled_tasks.exceptions import AlertClosed, AlertNotFound, FieldError, InvalidInput
from django_scheduled_tasks.models import Alert, ScheduledTask, for_update, read_now, write_alias, write_transaction
from django_scheduled_tasks.models.limits import check_instant
from django_scheduled_tasks.models.task import NUL
from django_scheduled_tasks.services.alerts.deciding.record import close_alert
from django_scheduled_tasks.services.alerts.rules import read_rules
from django_scheduled_tasks.users import User


def acknowledge(alert: Alert, *, user: User | None = None, comment: str = "") -> Alert:
    """Say that somebody knows of *alert*: nobody is reminded of it any more. Who said so first stays.

    Args:
        alert: Which.
        user: Who; recorded.
        comment: What there is to say; empty: what somebody said before stays.
    Raises:
        AlertNotFound, AlertClosed: As their names say.
        InvalidInput: The comment is too long.
    """
    comment = _text("comment", comment)
    with write_transaction():
        row = _locked(alert)
        if row.acknowledged_at is None:
            row.acknowledged_at, row.acknowledged_by = read_now(), user
        row.comment = comment or row.comment
        row.save(using=write_alias(), update_fields=["acknowledged_at", "acknowledged_by", "comment"])
    return row


def unacknowledge(alert: Alert) -> Alert:
    """Undo :func:`acknowledge`: people are reminded again.

    Raises:
        AlertNotFound, AlertClosed: As their names say.
    """
    with write_transaction():
        row = _locked(alert)
        row.acknowledged_at, row.acknowledged_by, row.comment = None, None, ""
        row.save(using=write_alias(), update_fields=["acknowledged_at", "acknowledged_by", "comment"])
    return row


def silence(alert: Alert, *, until: datetime | None, reason: str = "") -> Alert:
    """Let nobody be told anything more of *alert* until then, not even that it is over; None: end the silence.

    Args:
        alert: Which; the next one of its kind is told again.
        until: Aware, and later than now.
        reason: Why.
    Raises:
        AlertNotFound, AlertClosed: As their names say.
        InvalidInput: *until* is no such instant, or the reason is too long.
    """
    reason = _text("silence_reason", reason, key="reason") if until is not None else ""
    with write_transaction():
        row = _locked(alert)
        if until is not None:
            _check(until, read_now())
        row.silenced_until, row.silence_reason = until, reason
        row.save(using=write_alias(), update_fields=["silenced_until", "silence_reason"])
    return row


def close(alert: Alert, *, user: User | None = None, comment: str = "") -> Alert:
    """Say that *alert* is over. Those who were told of it are told so.

    What was wrong then opens no other one: only further failures or missed occurrences, or what was over and is wrong
    anew.

    Args:
        alert: Which.
        user: Who; recorded.
        comment: What there is to say; empty: what somebody said before stays.
    Raises:
        AlertNotFound, AlertClosed: As their names say.
        InvalidInput: The comment is too long.
    """
    comment = _text("comment", comment)
    rules = read_rules()
    with write_transaction():
        # As who follows the task: else a failure could be counted for an alert that is closed by then.
        if alert.task_id is not None:
            for_update(ScheduledTask.objects.using(write_alias()).filter(pk=alert.task_id)).first()
        row, now = _locked(alert), read_now()
        by_hand = {"closed_by_hand": True, "closed_by": user, "comment": comment or row.comment}
        close_alert(row, at=now, now=now, rules=rules.about(row.task), by_hand=by_hand)
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


def _text(column: str, text: str, *, key: str = "") -> str:
    """Return *text* without blanks at its ends, if it is not longer than the *column* of an alert."""
    cleaned, most = text.strip(), int(getattr(Alert._meta.get_field(column), "max_length", 0))
    if len(cleaned) > most or NUL in cleaned:
        raise InvalidInput(
            [FieldError(key or column, _("It has at most %(most)s characters.") % {"most": most}, "max_length")]
        )
    return cleaned


def _check(until: datetime, now: datetime) -> None:
    try:
        check_instant(until)
    except ValidationError as exc:
        raise InvalidInput([FieldError("until", exc.messages[0], exc.code or "invalid")]) from None
    if until <= now:
        raise InvalidInput([FieldError("until", _("it is not in the future."), "past")])
