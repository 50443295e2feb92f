"""What a rule and a channel have to be, for the admin's forms and the REST API, and how the latter writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from django_scheduled_tasks.channels import InvalidChannel, Target, channel_kinds
from django_scheduled_tasks.exceptions import AlertRuleNotFound, ChannelNotFound, FieldError, InvalidInput
from django_scheduled_tasks.models import AlertRule, Channel, RuleScope, for_update, write_alias, write_transaction
from django_scheduled_tasks.models.limits import is_word
from django_scheduled_tasks.parameters import MASK
from django_scheduled_tasks.services.alerts.channels.named import check_name
from django_scheduled_tasks.services.alerts.recorded import as_texts, record_edit
from django_scheduled_tasks.users import User

_Row = TypeVar("_Row", AlertRule, Channel)
LEAST_REMINDER = timedelta(minutes=1)
_COUNTS = ("after", "closes_after")
_CHANNEL_COLUMNS = ("name", "kind", "address", "secret_name")
_RULE_COLUMNS = (
    *("name", "scope", "tag", "task", "kinds", "after", "closes_after", "remind_every"),
    *("margin", "quiet_from", "quiet_until"),
)


def rule_errors(values: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with the columns of a rule; those that are absent are not looked at."""
    errors = _name_errors(values)
    scope = values.get("scope")
    if scope == RuleScope.TAG and not values.get("tag"):
        errors.append(FieldError("tag", _("Which tag?"), "missing"))
    if scope == RuleScope.TASK and not values.get("task"):
        errors.append(FieldError("task", _("Which task?"), "missing"))
    if "kinds" in values and not values["kinds"]:
        errors.append(FieldError("kinds", _("Choose at least one kind."), "missing"))
    if "channels" in values and not values["channels"]:
        errors.append(FieldError("channels", _("Choose at least one channel, or nobody is told."), "missing"))
    errors += [FieldError(name, _("At least 1."), "too_small") for name in _COUNTS if values.get(name) == 0]
    every = values.get("remind_every")
    if every is not None and every < LEAST_REMINDER:
        errors.append(FieldError("remind_every", _("At least a minute."), "too_small"))
    return errors + _hours_errors(values)


def _hours_errors(values: Mapping[str, Any]) -> list[FieldError]:
    margin, begin, end = (values.get(name) for name in ("margin", "quiet_from", "quiet_until"))
    errors = []
    if margin is not None and margin < LEAST_REMINDER:
        errors.append(FieldError("margin", _("At least a minute."), "too_small"))
    if (begin is None) != (end is None):
        missing = "quiet_from" if begin is None else "quiet_until"
        errors.append(FieldError(missing, _("Quiet hours need a beginning and an end."), "missing"))
    elif begin is not None and begin == end:
        errors.append(FieldError("quiet_until", _("Quiet hours end at another time than they begin."), "same"))
    return errors


def _name_errors(values: Mapping[str, Any]) -> list[FieldError]:
    """Names stand in logs, in mails and in terminals."""
    if is_word(values.get("name") or ""):
        return []
    return [FieldError("name", _("It has line breaks or other characters that cannot be seen."), "characters")]


def channel_errors(values: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with the columns of a channel, of which ``kind`` is there."""
    kind = channel_kinds().get(values.get("kind", ""))
    if kind is None:
        known = ", ".join(sorted(channel_kinds()))
        return [FieldError("kind", _("Known kinds are %(known)s.") % {"known": known}, "unknown")]
    if errors := _name_errors(values):
        return errors
    given = {name: values.get(name) or "" for name in ("name", "address", "secret_name")}
    if MASK in given["address"]:
        return [FieldError("address", _("It is masked here; leave it out to keep it."), "masked")]
    try:
        check_name(given["secret_name"])
        kind.check(Target(id=0, kind=values["kind"], **given))
    except InvalidChannel as exc:
        return [FieldError(exc.field, str(exc))]
    return []


def channel_choices() -> list[tuple[str, str]]:
    """Return the kinds of channels and what people call them."""
    return [(name, str(kind.label or name)) for name, kind in channel_kinds().items()]


def get_rule(number: int) -> AlertRule:
    """Return the rule with this number, its task with it.

    Raises:
        AlertRuleNotFound: There is none.
    """
    row = AlertRule.objects.using(write_alias()).select_related("task").filter(pk=number).first()
    if row is None:
        raise AlertRuleNotFound(number)
    return row


def get_channel(number: int) -> Channel:
    """Return the channel with this number.

    Raises:
        ChannelNotFound: There is none.
    """
    row = Channel.objects.using(write_alias()).filter(pk=number).first()
    if row is None:
        raise ChannelNotFound(number)
    return row


def save_rule(row: AlertRule, *, user: User | None = None, **changes: Any) -> AlertRule:
    """Create or change a rule.

    Args:
        row: A new one, or one that is stored.
        user: Who; recorded.
        changes: Columns; ``channels`` are numbers of channels.
    Raises:
        AlertRuleNotFound: It has been deleted.
        InvalidInput: Something is wrong; one item for each column.
    """
    with write_transaction():
        before = None
        if not row._state.adding:
            row = _locked(AlertRule.objects.filter(pk=row.pk), AlertRuleNotFound(row.pk))
            before = as_texts(row)
        elif "channels" not in changes:
            changes["channels"] = []
        channels = changes.pop("channels", None)
        found = set(Channel.objects.using(write_alias()).filter(pk__in=channels or ()).values_list("pk", flat=True))
        for name, value in changes.items():
            setattr(row, name, value)
        values = {name: getattr(row, name) for name in _RULE_COLUMNS}
        errors = rule_errors(values if channels is None else values | {"channels": channels})
        if missing := sorted({*(channels or ())} - found):
            text = _("There is no channel %(number)s.") % {"number": missing[0]}
            errors.append(FieldError("channels", text, "unknown"))
        if errors:
            raise InvalidInput(errors)
        row.save(using=write_alias())
        if channels is not None:
            row.channels.set(found)
        record_edit(row, before=before, user=user)
    return row


def save_channel(row: Channel, *, user: User | None = None, **changes: Any) -> Channel:
    """Create or change a channel; arguments and errors as with :func:`save_rule`."""
    is_new = row._state.adding
    with write_transaction():
        before = None
        if not is_new:
            row = _locked(Channel.objects.filter(pk=row.pk), ChannelNotFound(row.pk))
            before = as_texts(row)
        for name, value in changes.items():
            setattr(row, name, "" if value is None else value)
        if errors := channel_errors({name: getattr(row, name) for name in _CHANNEL_COLUMNS}):
            raise InvalidInput(errors)
        row.save(using=write_alias(), update_fields=None if is_new else sorted(changes))
        record_edit(row, before=before, user=user)
    return row


def _locked(rows: QuerySet[_Row], missing: Exception) -> _Row:
    row = for_update(rows).first()
    if row is None:
        raise missing
    return row
