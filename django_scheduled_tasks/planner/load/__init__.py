"""How many worker processes what is due will keep busy, as a pure function of policies and durations."""

from django_scheduled_tasks.planner.load.runs import Work
from django_scheduled_tasks.planner.load.week import Load, load_of
from django_scheduled_tasks.planner.load.worst import Worst, busiest_between

__all__ = ["Load", "Work", "Worst", "busiest_between", "load_of"]
