"""What wants attention, on the index of the admin: a few lines, without style sheets of ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.admin import AdminSite
from django.utils.safestring import SafeString

from django_scheduled_tasks.admin.alerts.words import joined, place
from django_scheduled_tasks.admin.ui.html import distance, link, page_url
from django_scheduled_tasks.models import Alert
from django_scheduled_tasks.services.alerts import wording

SHOWN = 5
"""So many rows at most."""


def panel_rows(alerts: Sequence[Alert], site: AdminSite, now: datetime) -> list[SafeString]:
    """Return the first of *alerts*, stored or not: kind, task or place, what is wrong, since when."""
    return [
        joined(
            [
                link(page_url(site, "alert_change", alert.pk) if alert.pk else "", wording.kind_name(alert.kind)),
                place(alert, site),
                wording.sentence(alert),
                distance(alert.opened_at, now),
            ]
        )
        for alert in alerts[:SHOWN]
    ]
