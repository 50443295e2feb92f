"""What is kept in the database; columns, constraints and querysets, no rules."""

from django_scheduled_tasks.db.clock import database_now, frozen_at, read_now, with_now
from django_scheduled_tasks.db.connections.alias import write_alias
from django_scheduled_tasks.db.locking import for_update, in_transaction, write_transaction
from django_scheduled_tasks.models.alert import Alert, AlertRule, Notice, RuleScope
from django_scheduled_tasks.models.attempt import Attempt
from django_scheduled_tasks.models.calendar import Calendar, calendar_stamps
from django_scheduled_tasks.models.change import Change, ChangeKind, Deed, Way
from django_scheduled_tasks.models.channel import ANSWER_MAX_LENGTH, Channel, Report
from django_scheduled_tasks.models.comment import COMMENT_MAX_LENGTH, Comment
from django_scheduled_tasks.models.execution import Execution
from django_scheduled_tasks.models.hold import Hold, HoldScope
from django_scheduled_tasks.models.installation import Installation
from django_scheduled_tasks.models.log import ExecutionLog
from django_scheduled_tasks.models.presence import Presence, PresenceKind
from django_scheduled_tasks.models.release import Release
from django_scheduled_tasks.models.rollup import BOUNDS, NO_END, Measure, TaskDay, TimeBucket, Total, Uncounted
from django_scheduled_tasks.models.task import ScheduledTask

__all__ = [
    "ANSWER_MAX_LENGTH",
    "BOUNDS",
    "COMMENT_MAX_LENGTH",
    "NO_END",
    "Alert",
    "AlertRule",
    "Attempt",
    "Calendar",
    "Change",
    "ChangeKind",
    "Channel",
    "Comment",
    "Deed",
    "Execution",
    "ExecutionLog",
    "Hold",
    "HoldScope",
    "Installation",
    "Measure",
    "Notice",
    "Presence",
    "PresenceKind",
    "Release",
    "Report",
    "RuleScope",
    "ScheduledTask",
    "TaskDay",
    "TimeBucket",
    "Total",
    "Uncounted",
    "Way",
    "calendar_stamps",
    "database_now",
    "for_update",
    "frozen_at",
    "in_transaction",
    "read_now",
    "with_now",
    "write_alias",
    "write_transaction",
]
