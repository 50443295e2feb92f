"""Why a database is held, in the present language."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.models import Installation
from django_scheduled_tasks.schedules.durations import format_duration
from django_scheduled_tasks.services.installation.state import Standing, say_place
from django_scheduled_tasks.services.installation.verdict import Cause


def why(found: Standing) -> str:
    """Return why nothing runs by schedule, as a sentence; empty if it does."""
    if found.installation is None or found.cause is None:
        return ""
    if found.cause == Cause.SECRET_KEY:
        return _("SECRET_KEY is another one than where it was adopted.")
    if found.cause == Cause.ELSEWHERE:
        return _("Address and system of the database are others than where it was adopted.")
    if found.cause == Cause.SAID:
        return _("It has moved, and somebody has said that it is a copy.")
    if found.cause == Cause.GAP:
        return _("When a scheduler started, none had been seen for longer than HOLD_AFTER_GAP.")
    names = {"setting": get_settings().ENVIRONMENT, "environment": found.installation.environment}
    if found.installation.environment:
        return _("The setting ENVIRONMENT says “%(setting)s”, the database was adopted as “%(environment)s”.") % names
    return _("The setting ENVIRONMENT says “%(setting)s”, the database was adopted without a name.") % names


def clock_text(behind: timedelta) -> str:
    """Return that the database's clock is *behind*, as a sentence."""
    whole = timedelta(seconds=int(behind.total_seconds()))
    return _("The database's clock is at least %(duration)s behind what it has shown before.") % {
        "duration": format_duration(whole)
    }


def moved(row: Installation) -> str:
    """Return from where to where the database has moved, as a sentence; the systems only where the address is one."""
    before, now = row.moved_from.rpartition(" (")[0] or row.moved_from, row.address
    if before == now:
        before, now = row.moved_from, say_place(row.address, row.system_identifier)
    return _("The database has moved from %(before)s to %(now)s; taken as the same installation.") % {
        "before": before,
        "now": now,
    }
