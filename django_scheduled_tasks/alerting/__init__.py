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
from django_scheduled_tasks.alerting.sequences import follow
from django_scheduled_tasks.alerting.telling import Told, is_quiet, reminder_number, terms_of, wanted

__all__ = [
    "MARGINS",
    "OF_ENDS",
    "OF_INSTALLATION",
    "OF_TASK",
    "RED",
    "Condition",
    "End",
    "Event",
    "Kind",
    "Opened",
    "Rule",
    "Step",
    "Terms",
    "Told",
    "changes",
    "follow",
    "is_quiet",
    "reminder_number",
    "terms_of",
    "too_long_after",
    "wanted",
]
