"""The list of tasks, and its actions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from django_scheduled_tasks.lifecycle import Status
from django_scheduled_tasks.models import Presence, PresenceKind, ScheduledTask, read_now
from django_scheduled_tasks.services.releases import live as live_releases
from django_scheduled_tasks.services.scheduling import presence
from django_scheduled_tasks.services.tasks.edit import pause
from tests.admin.pages import TASKS
from tests.factories import OPERATOR, VIEWER, make_execution, make_release, make_task, make_user

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]


def test_the_list_of_tasks(page_of):
    task = make_task(name="Nightly", schedule_kind="cron", expression="0 3 * * *", timezone="Europe/Berlin")
    make_execution(task, status=Status.ERRORS)
    pause(make_task(name="Monthly", schedule_kind="cron", expression="30 2 1 * *"), reason="audit")
    ScheduledTask.objects.filter(pk=make_task(name="Gone").pk).update(function="shop.gone")
    page = page_of(TASKS, *VIEWER)
    for text in ("Every day at 03:00", "0 3 * * *</span> · Europe/Berlin", "Failed", "Paused", "audit", "Broken"):
        assert text in page


def test_the_list_takes_as_many_statements_for_many_tasks_as_for_one(client, django_assert_num_queries, monkeypatch):
    client.force_login(make_user(superuser=True))
    monkeypatch.setattr(live_releases, "REMEMBERED_FOR", 3600)
    live_releases.processes_lately()  # a process asks this every few seconds, however many pages it draws
    counts = []
    for _ in range(2):
        for _ in range(10):
            make_execution(make_task(), status=Status.COMPLETED)
        from django.test.utils import CaptureQueriesContext

        from tests.database import KEEPS_JIT_AWAY, connection

        with CaptureQueriesContext(connection) as queries:
            client.get(TASKS)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10 + 2 * KEEPS_JIT_AWAY


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


# --- releases -----------------------------------------------------------------------------------------------------


def test_a_task_that_only_another_release_knows_is_not_broken_but_cannot_be_run_from_here(client):
    """The process that draws the page may be the older one."""
    client.force_login(make_user(*OPERATOR))
    make_release("1.5.0", functions=["shop.new"])
    task = make_task(name="new", schedule_kind="interval", expression="1h")
    ScheduledTask.objects.filter(pk=task.pk).update(function="shop.new")
    page = client.get(TASKS).content.decode()
    assert "The function shop.new is of another release, which runs as well." in page
    assert "Broken" not in page
    assert "disabled" in page
    Presence.objects.all().delete()
    live_releases.forget()
    assert "Broken" in client.get(TASKS).content.decode()


def test_that_two_releases_run_stands_above_the_list_for_all_who_see_it(client):
    client.force_login(make_user(*VIEWER))
    assert "releases run" not in client.get(TASKS).content.decode()
    make_release("1.4 <b>", host="a", first_seen_at=read_now() - timedelta(days=2))
    make_release("1.5", host="b")
    presence.seen(PresenceKind.WORKER)  # else it were the worse that there is none
    live_releases.forget()
    page = client.get(TASKS).content.decode()
    assert "3 releases run since 0 min: 1.4 &lt;b&gt; (a), 1.5 (b), " in page
    client.force_login(make_user())
    assert client.get(TASKS).status_code == 403
