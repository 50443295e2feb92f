"""When to tell people that something is wrong, and when that it is over. Pure: it knows only what it is given."""

from django_scheduled_tasks.alerting.conditions import MARGINS, Condition, changes, too_long_after
from django_scheduled_tasks.alerting.model import (
    OF_ENDS,
    OF_INSTALLATION,
    OF_TASK,
    RED,
    End,
    Event,
    Kind,
    Opened,
    Rule,
    Step,
    Terms,
)
from django_scheduled_tasks.alerting.promises import Deadline, last_deadline, stale_from
from django_scheduled_tasks.alerting.quiet import QuietHours
from django_scheduled_tasks.alerting.replay import Telling, tellings
from django_scheduled_tasks.alerting.sequences import follow
from django_scheduled_tasks.alerting.telling import Told, late_margin, reminder_number, terms_of, told_from, wanted

__all__ = [
    "MARGINS",
    "OF_ENDS",
    "OF_INSTALLATION",
    "OF_TASK",
    "RED",
    "Condition",
    "Deadline",
    "End",
    "Event",
    "Kind",
    "Opened",
    "QuietHours",
    "Rule",
    "Step",
    "Telling",
    "Terms",
    "Told",
    "changes",
    "follow",
    "last_deadline",
    "late_margin",
    "reminder_number",
    "stale_from",
    "tellings",
    "terms_of",
    "told_from",
    "too_long_after",
    "wanted",
]
