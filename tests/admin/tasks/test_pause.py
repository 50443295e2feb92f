"""Pause and resume in the admin: whose pause stays, and what is said."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages

from django_scheduled_tasks.models import Change, Execution, frozen_at
from django_scheduled_tasks.services.tasks.edit import pause
from tests.admin.pages import TASKS
from tests.factories import EDITOR, make_execution, make_task, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 28, 4, 10, tzinfo=UTC)


@pytest.fixture
def as_editor(client):
    user = make_user(*EDITOR)
    client.force_login(user)
    return user


@pytest.fixture
def paused():
    return pause(
        make_task(name="Nightly", schedule_kind="cron", expression="0 3 * * *"),
        reason="audit",
        user=make_user(name="anna"),
    )


def said(response) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def test_the_pause_of_somebody_else_stays_and_the_admin_says_whose_it_is(client, as_editor, paused):
    address = f"{TASKS}{paused.pk}/pause/"
    assert "already paused by anna: “audit”" in client.get(address).content.decode()
    ((level, text),) = said(client.post(address, {"reason": "mine"}))
    assert (level, text.startswith('"Nightly" has been paused by anna since ')) == ("warning", True)
    assert text.endswith(": “audit”. Resume it before you pause it for another reason.")
    paused.refresh_from_db()
    assert paused.pause_reason == "audit"
    assert not LogEntry.objects.exists()


def test_of_several_those_are_paused_that_are_not_paused_already(client, as_editor, paused):
    other = make_task(name="Weekly")
    sent = {"action": "pause_selected", "_selected_action": [paused.pk, other.pk], "dst_asked": "1", "reason": "mine"}
    levels = [level for level, _text in said(client.post(TASKS, sent))]
    assert levels == ["warning", "success"]
    for task, reason in ((paused, "audit"), (other, "mine")):
        task.refresh_from_db()
        assert task.pause_reason == reason


def test_resuming_notes_whose_pause_it_was_and_says_so_if_there_was_none(client, as_editor, paused):
    address = f"{TASKS}{paused.pk}/resume/"
    assert said(client.post(address)) == [("success", "Resumed 1 task.")]
    assert LogEntry.objects.get().change_message == "Resumed. (by anna: “audit”)"
    client.get(TASKS)  # shows the message
    assert said(client.post(address)) == [("info", '"Nightly" is not paused.')]
    assert LogEntry.objects.count() == 1


@pytest.fixture
def paused_for_14_days(engine):
    with frozen_at(NOW - timedelta(days=14)):
        task = make_task(name="stock", schedule_kind="cron", expression="0 3 * * *", timezone="Europe/Berlin")
        task = pause(task, reason="audit", user=make_user(name="ben"))
    with frozen_at(NOW):
        yield task


def text_of(response) -> str:
    page = response.content.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("content-main") :])).split())


def test_resuming_asks_what_becomes_of_what_was_due(client, as_editor, paused_for_14_days):
    task = paused_for_14_days
    made = make_execution(task, status="completed", started_at=NOW - timedelta(seconds=21), completed_at=NOW)
    address = f"{TASKS}{task.pk}/resume/"
    response = client.post(address)
    shown = text_of(response)
    for text in (
        "Paused Sat 14 Nov 05:10, by ben: “audit”. 14 runs were due meanwhile, the first on Sun 15 Nov 03:00,"
        " the latest today 03:00 (Europe/Berlin).",
        "From now on Next: Sun 29 Nov 03:00. The 14 stay in the history.",
        "Run the latest Starts the run of today 03:00 at once; the other 13 stay as paused.",
        "Replay all 14 One after the other, oldest first, each with its own date."
        " About 4 min 54 s (usually 21.0 s each). Until they are done, new ones are skipped.",
    ):
        assert text in shown, shown
    assert client.get(address).status_code == 200
    task.refresh_from_db()
    assert task.paused_at is not None
    assert client.post(address, {"dst_asked": "1", "replay": "latest", "reason": "done"}).status_code == 302
    task.refresh_from_db()
    assert task.paused_at is None
    skipped, latest = Execution.objects.exclude(pk=made.pk).order_by("pk")
    assert (skipped.outcome, skipped.occurrences) == ("skipped", 14)
    assert (latest.status, latest.reason) == ("pending", "done")
    assert latest.scheduled_for == datetime(2026, 11, 28, 2, tzinfo=UTC)
    assert [row.reason for row in Change.objects.filter(deed__in=["resumed", "backfilled"])] == ["done", "done"]


@pytest.mark.parametrize(("replay", "count"), [("from_now", 0), ("all", 14), ("", 0)])
def test_none_or_all_of_it_is_run(client, as_editor, paused_for_14_days, replay, count):
    client.post(f"{TASKS}{paused_for_14_days.pk}/resume/", {"dst_asked": "1", "replay": replay})
    rows = Execution.objects.filter(status="pending").order_by("pk")
    assert rows.count() == count
    assert [row.scheduled_for for row in rows] == sorted(row.scheduled_for for row in rows)


def test_who_may_not_run_the_task_may_only_go_on_from_now(client, paused_for_14_days):
    client.force_login(make_user("view_scheduledtask", "pause_scheduledtask"))
    address = f"{TASKS}{paused_for_14_days.pk}/resume/"
    assert "Run the latest" not in text_of(client.get(address))
    ((level, _text),) = said(client.post(address, {"dst_asked": "1", "replay": "all"}))
    assert level == "warning"
    assert not Execution.objects.exists()


def test_too_many_are_not_replayed(client, as_editor, engine):
    with frozen_at(NOW - timedelta(days=14)):
        task = pause(make_task(schedule_kind="interval", expression="1m"))
    with frozen_at(NOW):
        address = f"{TASKS}{task.pk}/resume/"
        page = client.get(address).content.decode()
        assert 'value="all" disabled' in page
        assert "Too many to replay here: backfill with a range." in page
        ((level, text),) = said(client.post(address, {"dst_asked": "1", "replay": "all"}))
        assert (level, "backfill with a range" in text) == ("warning", True)
    task.refresh_from_db()
    assert task.paused_at is not None


def test_several_at_once_are_asked_about_together(client, as_editor, paused_for_14_days):
    sent = {"action": "resume_selected", "_selected_action": [paused_for_14_days.pk]}
    shown = text_of(client.post(TASKS, sent))
    assert "stock : Paused Sat 14 Nov 05:10" in shown
    client.post(TASKS, sent | {"dst_asked": "1", "replay": "latest"})
    assert Execution.objects.filter(status="pending").count() == 1
