"""What the scheduler decides, as pure functions of policies and state; they use no model and no clock."""

from django_scheduled_tasks.planner.decide import first_run_at, plan, replay
from django_scheduled_tasks.planner.downtime import Downtime, after_downtime
from django_scheduled_tasks.planner.excluded import excluded_ahead, left_out_until
from django_scheduled_tasks.planner.forecast import Coming, Day, Difference, Side, Window, differ, forecast
from django_scheduled_tasks.planner.late import INSTANT, first_not_skipped, following
from django_scheduled_tasks.planner.model import (
    MOST_CAUGHT_UP,
    MOST_MISSED_ROWS,
    ON_TIME,
    QUEUE_ALL_CAP,
    QUEUE_ONE_CAP,
    STARTS,
    Decision,
    DecisionKind,
    OpenExecution,
    Plan,
    Skip,
    TaskPolicy,
    TaskState,
)
from django_scheduled_tasks.planner.reasons import TEMPLATES as REASONS
from django_scheduled_tasks.planner.simulate import Ledger, LedgerEntry, simulate
from django_scheduled_tasks.planner.standstill import Stretch, occurrences_between

__all__ = [
    "INSTANT",
    "MOST_CAUGHT_UP",
    "MOST_MISSED_ROWS",
    "ON_TIME",
    "QUEUE_ALL_CAP",
    "QUEUE_ONE_CAP",
    "REASONS",
    "STARTS",
    "Coming",
    "Day",
    "Decision",
    "DecisionKind",
    "Difference",
    "Downtime",
    "Ledger",
    "LedgerEntry",
    "OpenExecution",
    "Plan",
    "Side",
    "Skip",
    "Stretch",
    "TaskPolicy",
    "TaskState",
    "Window",
    "after_downtime",
    "differ",
    "excluded_ahead",
    "first_not_skipped",
    "first_run_at",
    "following",
    "forecast",
    "left_out_until",
    "occurrences_between",
    "plan",
    "replay",
    "simulate",
]
