"""The history."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.admin import ExecutionAdmin, ScheduledTaskAdmin
from django_scheduled_tasks.lifecycle import Status
from tests.admin.pages import EXECUTIONS
from tests.factories import LOG_VIEWER, make_execution, make_task

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_the_history(page_of):
    execution = make_execution(make_task(name="Nightly"), status=Status.ERRORS, error_message="No paper.\nReally.")
    page = page_of(EXECUTIONS, *LOG_VIEWER)
    for text in (f"#{execution.pk}", "Nightly", "No paper.", "Failed"):
        assert text in page
    assert "Really." not in page


def test_each_filter_has_what_themes_of_the_admin_ask_it_for():
    for filters in (ExecutionAdmin.list_filter, ScheduledTaskAdmin.list_filter):
        assert all(getattr(item, "parameter_name", "") for item in filters)
