"""Create or update tasks by their keys, one or a hundred thousand: with the rules of the admin, in few statements."""

from django_scheduled_tasks.services.tasks.upsert.many import RowError, Upserted, upsert_one, upsert_rows
from django_scheduled_tasks.services.tasks.upsert.wanted import Reader, clean_key
from django_scheduled_tasks.services.tasks.upsert.write import Done, DoneKind, write_rows

__all__ = ["Done", "DoneKind", "Reader", "RowError", "Upserted", "clean_key", "upsert_one", "upsert_rows", "write_rows"]
