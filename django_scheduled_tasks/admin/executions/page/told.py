"""On the page of an execution: the alert about it, who was told, and the button that acknowledges it."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_scheduled_tasks.admin.ui.html import link, page_url, with_query
from django_scheduled_tasks.alerting import Kind
from django_scheduled_tasks.models import Execution
from django_scheduled_tasks.services.alerts.alerted import Alerted
from django_scheduled_tasks.services.permissions import CHANGE_ALERT, Caller, may


def told_text(found: Alerted, site: AdminSite) -> SafeString:
    """Return who was told of the alert about an execution, with a link to the alert: Twice in a row; ops was told."""
    names = list(dict.fromkeys(notice.channel.name for notice in found.told))
    at = min((notice.sent_at for notice in found.told if notice.sent_at is not None), default=None)
    if at is None:
        said = _("Nobody was told.")
    else:
        said = ngettext("%(names)s was told at %(time)s.", "%(names)s were told at %(time)s.", len(names)) % {
            "names": ", ".join(names),
            "time": f"{timezone.localtime(at):%H:%M:%S}",
        }
    told = link(page_url(site, "alert_change", found.alert.pk), said)
    return format_html("{} {}", _in_a_row(found), told) if _in_a_row(found) else told


def _in_a_row(found: Alerted) -> str:
    if found.alert.kind != Kind.FAILING or found.in_a_row < 2:  # noqa: PLR2004  (one is no row)
        return ""
    if found.in_a_row == 2:  # noqa: PLR2004  (a word of its own)
        return _("Twice in a row.")
    return _("%(count)s times in a row.") % {"count": found.in_a_row}


def acknowledge_url(found: Alerted, execution: Execution, site: AdminSite, user: Caller) -> str:
    """Return where the alert is acknowledged; empty if it need not be, or *user* may not."""
    alert = found.alert
    if not alert.is_open or alert.acknowledged_at is not None or not may(user, CHANGE_ALERT, alert):
        return ""
    return with_query(page_url(site, "alert_acknowledge", alert.pk), execution=execution.pk)
