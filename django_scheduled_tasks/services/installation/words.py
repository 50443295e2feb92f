"""Why a database is held, in the present language."""

from __future__ import annotations

from django.utils.translation import gettext as _

from django_scheduled_tasks.conf import get_settings
from django_scheduled_tasks.services.installation.state import Standing
from django_scheduled_tasks.services.installation.verdict import Cause


def why(found: Standing) -> str:
    """Return why nothing runs by schedule, as a sentence; empty if it does."""
    if found.installation is None or found.cause is None:
        return ""
    if found.cause == Cause.SECRET_KEY:
        return _("SECRET_KEY is another one than where it was adopted.")
    if found.cause == Cause.ELSEWHERE:
        return _("Address and system of the database are others than where it was adopted.")
    if found.cause == Cause.GAP:
        return _("When a scheduler started, none had been seen for longer than HOLD_AFTER_GAP.")
    names = {"setting": get_settings().ENVIRONMENT, "environment": found.installation.environment}
    if found.installation.environment:
        return _("The setting ENVIRONMENT says “%(setting)s”, the database was adopted as “%(environment)s”.") % names
    return _("The setting ENVIRONMENT says “%(setting)s”, the database was adopted without a name.") % names
