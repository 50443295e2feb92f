"""What wants attention, on the index of the admin: a few lines, without style sheets of ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.admin import AdminSite
from django.utils.safestring import SafeString

from django_scheduled_tasks.admin.alerts.words import joined, place
from django_scheduled_tasks.admin.ui.html import distance, execution_link, link, page_url
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.alerts.telling import wording

SHOWN = 5
"""So many rows at most."""


def panel_rows(alerts: Sequence[Alert], site: AdminSite, now: datetime) -> list[SafeString]:
    """Return the first of *alerts*, stored or not: kind, task or place, what is wrong, since when."""
    return [
        joined(
            [
                link(page_url(site, "alert_change", alert.pk) if alert.pk else "", wording.kind_name(alert.kind)),
                place(alert, site),
                _sentence(alert, site),
                distance(alert.opened_at, now),
            ]
        )
        for alert in alerts[:SHOWN]
    ]


def _sentence(alert: Alert, site: AdminSite) -> SafeString | str:
    """Return what is wrong; it leads to the execution that shows why, if it is about one."""
    text = wording.sentence(alert)
    return execution_link(site, alert.latest_execution, text) if alert.latest_execution is not None else text
