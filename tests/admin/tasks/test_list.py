"""The list of tasks, and its actions."""

from __future__ import annotations

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import ScheduledTask
from django_scheduled_tasks.services.tasks.edit import pause
from tests.admin.pages import TASKS
from tests.factories import VIEWER, make_execution, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_the_list_of_tasks(page_of):
    task = make_task(name="Nightly", schedule_kind="cron", expression="0 3 * * *", timezone="Europe/Berlin")
    make_execution(task, status=Status.ERRORS)
    pause(make_task(name="Monthly", schedule_kind="cron", expression="30 2 1 * *"), reason="audit")
    ScheduledTask.objects.filter(pk=make_task(name="Gone").pk).update(function="shop.gone")
    page = page_of(TASKS, *VIEWER)
    for text in ("Every day at 03:00", "0 3 * * *</span> · Europe/Berlin", "Failed", "Paused", "audit", "Broken"):
        assert text in page


def test_the_list_takes_as_many_statements_for_many_tasks_as_for_one(client, django_assert_num_queries):
    client.force_login(make_user(superuser=True))
    counts = []
    for _ in range(2):
        for _ in range(10):
            make_execution(make_task(), status=Status.COMPLETED)
        from django.test.utils import CaptureQueriesContext

        from tests.database import connection

        with CaptureQueriesContext(connection) as queries:
            client.get(TASKS)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


def test_pausing_resuming_and_deleting(client):
    client.force_login(make_user(superuser=True))
    task = make_task(schedule_kind="cron", expression="0 3 * * *")
    chosen = {"_selected_action": [str(task.pk)]}
    page = client.post(TASKS, {"action": "pause_selected", **chosen}).content.decode()
    assert "Why? (shown on the list)" in page
    assert ScheduledTask.objects.get().next_run_at is not None
    client.post(TASKS, {"action": "pause_selected", "dst_asked": "1", "reason": "audit", **chosen})
    assert ScheduledTask.objects.get().pause_reason == "audit"
    assert ScheduledTask.objects.get().next_run_at is None
    client.post(TASKS, {"action": "resume_selected", **chosen})
    assert ScheduledTask.objects.get().next_run_at is not None
    client.post(TASKS, {"action": "delete_selected", "post": "yes", **chosen})
    assert not ScheduledTask.objects.exists()
    task = make_task()
    client.post(f"{TASKS}{task.pk}/delete/", {"post": "yes"})
    assert not ScheduledTask.objects.exists()
