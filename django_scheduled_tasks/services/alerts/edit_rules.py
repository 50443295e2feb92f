"""What a rule and a channel have to be: asked by the admin's forms and by the REST API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from django_scheduled_tasks.channels import InvalidChannel, Target, channel_kinds
from django_scheduled_tasks.exceptions import FieldError
from django_scheduled_tasks.models import RuleScope
from django_scheduled_tasks.services.alerts.channels.named import check_name

LEAST_REMINDER = timedelta(minutes=1)
_COUNTS = ("after", "closes_after")


def rule_errors(values: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with the columns of a rule; those that are absent are not looked at."""
    errors = []
    scope = values.get("scope")
    if scope == RuleScope.TAG and not values.get("tag"):
        errors.append(FieldError("tag", _("Which tag?"), "missing"))
    if scope == RuleScope.TASK and not values.get("task"):
        errors.append(FieldError("task", _("Which task?"), "missing"))
    if "kinds" in values and not values["kinds"]:
        errors.append(FieldError("kinds", _("Choose at least one kind."), "missing"))
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


def channel_errors(values: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with the columns of a channel, of which ``kind`` is there."""
    kind = channel_kinds().get(values.get("kind", ""))
    if kind is None:
        known = ", ".join(sorted(channel_kinds()))
        return [FieldError("kind", _("Known kinds are %(known)s.") % {"known": known}, "unknown")]
    given = {name: values.get(name) or "" for name in ("name", "address", "secret_name")}
    try:
        check_name(given["secret_name"])
        kind.check(Target(id=0, kind=values["kind"], **given))
    except InvalidChannel as exc:
        return [FieldError(exc.field, str(exc))]
    return []


def channel_choices() -> list[tuple[str, str]]:
    """Return the kinds of channels and what people call them."""
    return [(name, str(kind.label or name)) for name, kind in channel_kinds().items()]
