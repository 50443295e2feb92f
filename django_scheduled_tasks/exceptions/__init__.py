"""One family of errors: each has a stable code for programs, an HTTP status, and a plain sentence for people.

This package imports nothing of ours but what translates, so that every layer may raise and catch these.
"""

from django_scheduled_tasks.exceptions.absent import (
    AlertClosed,
    AlertNotFound,
    AlertRuleNotFound,
    CalendarNotFound,
    ChangeNotFound,
    ChannelNotFound,
    ExecutionNotFound,
    FunctionNotRegistered,
    HoldEnded,
    HoldNotFound,
    TaskNotFound,
)
from django_scheduled_tasks.exceptions.base import (
    DatabaseUnavailable,
    EngineUnavailable,
    HeldCopy,
    NotAuthenticated,
    PermissionDenied,
    ScheduledTasksError,
    Throttled,
)
from django_scheduled_tasks.exceptions.invalid import (
    FieldError,
    InvalidInput,
    InvalidParameters,
    InvalidSchedule,
    InvalidTask,
    InvalidTasks,
)
from django_scheduled_tasks.exceptions.refused import (
    AlreadyMadeGood,
    AlreadyPaused,
    AlreadyRunning,
    CalendarChanged,
    CalendarInUse,
    ConfirmationRequired,
    FunctionChanged,
    IdempotencyMismatch,
    NotCancellable,
    StaleTransaction,
    StreamRefused,
    TaskChanged,
    TooManyStreams,
)
from django_scheduled_tasks.exceptions.stopped import TaskCancelled, TaskTimedOut

__all__ = [
    "AlertClosed",
    "AlertNotFound",
    "AlertRuleNotFound",
    "AlreadyMadeGood",
    "AlreadyPaused",
    "AlreadyRunning",
    "CalendarChanged",
    "CalendarInUse",
    "CalendarNotFound",
    "ChangeNotFound",
    "ChannelNotFound",
    "ConfirmationRequired",
    "DatabaseUnavailable",
    "EngineUnavailable",
    "ExecutionNotFound",
    "FieldError",
    "FunctionChanged",
    "FunctionNotRegistered",
    "HeldCopy",
    "HoldEnded",
    "HoldNotFound",
    "IdempotencyMismatch",
    "InvalidInput",
    "InvalidParameters",
    "InvalidSchedule",
    "InvalidTask",
    "InvalidTasks",
    "NotAuthenticated",
    "NotCancellable",
    "PermissionDenied",
    "ScheduledTasksError",
    "StaleTransaction",
    "StreamRefused",
    "TaskCancelled",
    "TaskChanged",
    "TaskNotFound",
    "TaskTimedOut",
    "Throttled",
    "TooManyStreams",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # its public path stands in records of errors, in logs and in docs
