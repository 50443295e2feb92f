"""The function that is measured: it does nothing."""

from django_scheduled_tasks import scheduled_task


@scheduled_task
def nothing(number: int = 0) -> None:
    """Does nothing."""
