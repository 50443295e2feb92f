"""Carrying tasks from one environment to another: a document for people, and a plan before anything is written."""

from django_scheduled_tasks.carrying.document import FORMAT, VERSION, export_document, exported, read_document
from django_scheduled_tasks.carrying.plan import Act, Item, Plan, apply_plan, authorize, make_plan

__all__ = [
    "FORMAT",
    "VERSION",
    "Act",
    "Item",
    "Plan",
    "apply_plan",
    "authorize",
    "export_document",
    "exported",
    "make_plan",
    "read_document",
]
